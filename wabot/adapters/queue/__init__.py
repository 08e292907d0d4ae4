"""RQ as a doorbell: its jobs say that there is work, and what the work is stands in the database.

A job may be lost, run twice or come late (RQ and rq-scheduler promise no better, once something is killed):
the sweeper in each worker finds the same work by itself, and a job that finds none is done at once.
"""

from wabot.adapters.queue.doorbell import QUEUES, RqDoorbell
from wabot.adapters.queue.scheduler import Foresees, schedule
from wabot.adapters.queue.status import JobFailure, QueueStatus, RqStatus, WorkerStatus, status
from wabot.adapters.queue.worker import Works, work

__all__ = [
    "QUEUES",
    "Foresees",
    "JobFailure",
    "QueueStatus",
    "RqDoorbell",
    "RqStatus",
    "WorkerStatus",
    "Works",
    "schedule",
    "status",
    "work",
]
