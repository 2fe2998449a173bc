from .audit import AuditEntry
from .calibration import Calibration, CalibrationSample
from .jobs import ACTIVE, ImportJob, JobRow, JobState, PredictionJob, TileJob, TrainingRun, Worker
from .registry import ModelVersion
from .review import Comment, Flag, FlagReason, Lease, Reason, Ruling
from .slide import (
    CountMap,
    Fault,
    Field,
    FieldChoice,
    Prediction,
    Reading,
    ReferenceCount,
    Slide,
)
from .study import (
    ROLE_RANK,
    CellType,
    CountingRule,
    Invitation,
    Membership,
    QueueOrder,
    Role,
    Study,
)
from .token import ApiToken

__all__ = [
    "ACTIVE",
    "ROLE_RANK",
    "ApiToken",
    "AuditEntry",
    "Calibration",
    "CalibrationSample",
    "CellType",
    "Comment",
    "CountMap",
    "CountingRule",
    "Fault",
    "Field",
    "FieldChoice",
    "Flag",
    "FlagReason",
    "ImportJob",
    "Invitation",
    "JobRow",
    "JobState",
    "Lease",
    "Membership",
    "ModelVersion",
    "Prediction",
    "PredictionJob",
    "QueueOrder",
    "Reading",
    "Reason",
    "ReferenceCount",
    "Role",
    "Ruling",
    "Slide",
    "Study",
    "TileJob",
    "TrainingRun",
    "Worker",
]
