"""One module per way of running: embedded, production and test. All start from base."""
