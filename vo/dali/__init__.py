"""What all services share (IVOA DALI 1.1): parameters, limits, faults."""

from vo.dali.faults import (
    AuthorizationFault,
    DefaultFault,
    Fault,
    NotFoundFault,
    TransientFault,
    UsageFault,
    fault_of,
)
from vo.dali.limits import Limits, RowLimit
from vo.dali.params import Parameters, PostedFile
from vo.dali.rows import Ending, Rows

__all__ = [
    "AuthorizationFault",
    "DefaultFault",
    "Ending",
    "Fault",
    "Limits",
    "NotFoundFault",
    "Parameters",
    "PostedFile",
    "RowLimit",
    "Rows",
    "TransientFault",
    "UsageFault",
    "fault_of",
]
