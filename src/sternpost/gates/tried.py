"""The service of a project, started once for all criteria of a gate."""

from __future__ import annotations

from sternpost.errors import StartupError
from sternpost.gates.project import Project
from sternpost.scratch.service import ScratchService


def service_of(project: Project) -> ScratchService:
    """The project's service, which runs until the gate has ended.

    Raises:
        StartupError: it does not start, or its database cannot be made.
    """
    return project.once(_started)


def _started(project: Project) -> ScratchService:
    if project.plan.external:
        raise StartupError("Its database is not Sternpost's own, so that no empty one can be made to try it with")
    service = ScratchService(project.root, project.name)
    service.start()
    project.closing.callback(service.close)
    return service
