from .audit import AuditEntry
from .jobs import ACTIVE, ImportJob, JobRow, JobState, PredictionJob, TrainingRun, Worker
from .registry import ModelVersion
from .slide import Field, FieldChoice, Prediction, Reading, ReferenceCount, Slide
from .study import ROLE_RANK, CellType, CountingRule, Invitation, Membership, Role, Study
from .token import ApiToken

__all__ = [
    "ACTIVE",
    "ROLE_RANK",
    "ApiToken",
    "AuditEntry",
    "CellType",
    "CountingRule",
    "Field",
    "FieldChoice",
    "ImportJob",
    "Invitation",
    "JobRow",
    "JobState",
    "Membership",
    "ModelVersion",
    "Prediction",
    "PredictionJob",
    "Reading",
    "ReferenceCount",
    "Role",
    "Slide",
    "Study",
    "TrainingRun",
    "Worker",
]
