"""Books in the background as far as the page sees them: the routes of jobs, which end when they are told to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from flask import Blueprint, Response, jsonify, request

from tts.speech.errors import NotFound, UnsupportedMedia


@dataclass
class Job:
    id: str
    title: str
    format: str
    voice: str
    speed: float
    state: str = "running"
    author: str = "A. Writer"
    characters: int = 1000
    characters_done: int = 250
    seconds: float = 61.0
    eta_seconds: float | None = 183.0
    times_real_time: float | None = 4.25
    error: str | None = None


@dataclass
class Shelf:
    """The jobs, by their ids."""

    jobs: dict[str, Job] = field(default_factory=dict)

    def blueprint(self) -> Blueprint:
        made = Blueprint("jobs", __name__)
        made.get("/jobs")(lambda: {"jobs": [asdict(job) for job in self.jobs.values()]})
        made.post("/jobs")(self.submit)
        made.get("/jobs/<job_id>/audio")(self.audio)
        made.delete("/jobs/<job_id>")(self.delete)
        return made

    def submit(self) -> tuple[Response, int]:
        file, wish = request.files["file"], request.form
        name, _, suffix = (file.filename or "").rpartition(".")
        if suffix != "epub":
            raise UnsupportedMedia(f"{suffix} is no kind of book that can be read.", "file", file.filename, ".epub")
        job = Job(f"{len(self.jobs):032x}", name, wish["format"], wish["voice"], float(wish["speed"]))
        self.jobs[job.id] = job
        return jsonify(asdict(job)), 202

    def audio(self, job_id: str) -> Response:
        job = self.find(job_id)
        headers = {"Content-Disposition": f'attachment; filename="{job.title}.{job.format}"'}
        return Response(f"the sound of {job.title}", mimetype="audio/mp4", headers=headers)

    def delete(self, job_id: str) -> tuple[str, int]:
        if self.find(job_id).state == "running":
            self.jobs[job_id].state = "cancelled"
        else:
            del self.jobs[job_id]
        return "", 204

    def find(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise NotFound("There is no such job.")
        return self.jobs[job_id]

    def finish(self, **changes: Any) -> None:
        """Have every job end."""
        for job in self.jobs.values():
            job.state, job.characters_done, job.eta_seconds = "done", job.characters, None
            vars(job).update(changes)
