"""What an attempt must pass before it leaves. Each gate is one reason to wait, in a file of its own."""

from bulkpause.gates.adaptive import AdaptiveGate
from bulkpause.gates.breaker import BreakerGate
from bulkpause.gates.hold import HoldGate
from bulkpause.gates.rate import PACE, RateGate
from bulkpause.gates.reach import ReachGate

__all__ = ["PACE", "AdaptiveGate", "BreakerGate", "HoldGate", "RateGate", "ReachGate"]
