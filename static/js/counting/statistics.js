/**
 * Intervals of counts and shares while they grow. Pure functions; the same formulas as
 * counting/statistics (docs/statistics.md), worked out here so that they follow each key at once.
 *
 * The incomplete gamma and beta functions are summed by their series and continued fractions
 * (Abramowitz & Stegun 1964, 6.5.29, 6.5.31 and 26.5.8) and turned around by halving.
 *
 * @typedef {{low: number, high: number}} Interval
 */

/** Each tail of a 95 % interval. */
const TAIL = 0.025;
const HALVINGS = 80;
const TERMS = 20000;
const CLOSE = 1e-13;
/** Stands in for zero in a continued fraction (Lentz 1976). */
const TINY = 1e-300;

/**
 * The exact 95 % interval of a Poisson count (Garwood 1936).
 * @param {number} count 0 or more @returns {Interval}
 */
export function poisson(count) {
  const low = count > 0 ? turnAround((x) => gammaBelow(count, x), TAIL, count) : 0;
  return { low, high: turnAround((x) => gammaBelow(count + 1, x), 1 - TAIL, count + 1) };
}

/**
 * The exact 95 % limits of a share (Clopper & Pearson 1934), for differential counts known as
 * Rümke's limits.
 * @param {number} part @param {number} whole above 0, and not below `part` @returns {Interval}
 */
export function binomial(part, whole) {
  const rest = whole - part;
  const low = part > 0 ? turnAround((x) => betaBelow(x, part, rest + 1), TAIL, 1) : 0;
  const high = rest > 0 ? turnAround((x) => betaBelow(x, part + 1, rest), 1 - TAIL, 1) : 1;
  return { low, high };
}

/** @type {Map<number, number>} */
const needed = new Map();

/**
 * The least count whose exact interval reaches no further than `precision` above it: its upper
 * side is the longer one.
 * @param {number} precision a share above 0: 0.1 for ±10 % @returns {number}
 */
export function cellsNeeded(precision) {
  const known = needed.get(precision);
  if (known) return known;
  const reached = (/** @type {number} */ count) => poisson(count).high <= (1 + precision) * count;
  let low = 0;
  let high = 1;
  while (!reached(high)) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (reached(middle)) high = middle;
    else low = middle;
  }
  needed.set(precision, high);
  return high;
}

/**
 * How many more fields like those so far a slide needs for a precision.
 * @param {number} cells counted so far @param {number} fields they are of
 * @param {number} precision a share above 0
 * @returns {number | null} null where nothing tells yet
 */
export function moreFields(cells, fields, precision) {
  if (cells === 0 || fields === 0) return null;
  return Math.max(0, Math.ceil((cellsNeeded(precision) * fields) / cells) - fields);
}

/** Where a function that grows from 0 reaches `p`. @param {(x: number) => number} grows */
function turnAround(grows, p, start) {
  let low = 0;
  let high = start;
  for (; grows(high) < p; high *= 2) low = high;
  for (let n = 0; n < HALVINGS && high - low > high * CLOSE; n += 1) {
    const middle = (low + high) / 2;
    if (grows(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Lanczos' approximation (g = 7, n = 9; Numerical Recipes 2007, 6.1). @param {number} x > 0 */
function logGamma(x) {
  let sum = 0.99999999999980993;
  LANCZOS.forEach((weight, index) => {
    sum += weight / (x + index);
  });
  const t = x + LANCZOS.length - 1.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

const LANCZOS = [
  676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** The regularized lower incomplete gamma function P(a, x). */
function gammaBelow(/** @type {number} */ a, /** @type {number} */ x) {
  if (x <= 0) return 0;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let total = term;
    for (let n = 1; n < TERMS && term > total * CLOSE; n += 1) {
      term *= x / (a + n);
      total += term;
    }
    return front * total;
  }
  let b = x + 1 - a;
  let c = 1 / TINY;
  let d = 1 / b;
  let fraction = d;
  for (let n = 1; n < TERMS && Math.abs(c * d - 1) > CLOSE; n += 1) {
    const step = -n * (n - a);
    b += 2;
    d = 1 / notZero(step * d + b);
    c = notZero(b + step / c);
    fraction *= c * d;
  }
  return 1 - front * fraction;
}

/** The regularized incomplete beta function I_x(a, b). */
function betaBelow(/** @type {number} */ x, /** @type {number} */ a, /** @type {number} */ b) {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  const scale = logGamma(a + b) - logGamma(a) - logGamma(b);
  const front = Math.exp(scale + a * Math.log(x) + b * Math.log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return (front * betaFraction(x, a, b)) / a;
  return 1 - (front * betaFraction(1 - x, b, a)) / b;
}

function betaFraction(/** @type {number} */ x, /** @type {number} */ a, /** @type {number} */ b) {
  let c = 1;
  let d = 1 / notZero(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let n = 1; n < TERMS; n += 1) {
    const even = (n * (b - n) * x) / ((a + 2 * n - 1) * (a + 2 * n));
    const odd = (-(a + n) * (a + b + n) * x) / ((a + 2 * n) * (a + 2 * n + 1));
    for (const step of [even, odd]) {
      d = 1 / notZero(1 + step * d);
      c = notZero(1 + step / c);
      fraction *= c * d;
    }
    if (Math.abs(c * d - 1) < CLOSE) break;
  }
  return fraction;
}

function notZero(/** @type {number} */ value) {
  return Math.abs(value) > TINY ? value : TINY;
}
