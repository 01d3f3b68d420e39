"""A capture server to start from: FastAPI.

    pip install fastapi uvicorn python-multipart
    CAPTURE_TOKEN=secret uvicorn fastapi_receiver:app --port 8000

CAPTURE_DIR (default: captures) is where captures go. A capture is the file ID, its
metadata are ID.json. ID is made from the key, so that a key is stored once, also after
a restart. For one process at a time: no --workers.
"""

import hashlib
import io
import json
import os
import shutil
import threading
import uuid
from pathlib import Path

from fastapi import Depends, FastAPI, File, Form, Header, HTTPException, Response, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

TOKEN = os.environ.get("CAPTURE_TOKEN")
DIR = Path(os.environ.get("CAPTURE_DIR", "captures"))
INCOMING = DIR / ".incoming"

# What a crash has left there was never answered for.
shutil.rmtree(INCOMING, ignore_errors=True)
INCOMING.mkdir(mode=0o700, parents=True)

app = FastAPI()
in_progress: set[str] = set()  # the keys whose requests are not over yet
lock = threading.Lock()


@app.get("/health/ready")
def ready():
    return {"status": "ready"}


def check_token(authorization: str = Header("")):
    if TOKEN and authorization != f"Bearer {TOKEN}":
        raise HTTPException(401, "expected the right token")


# A dependency, so that the token is judged before the form.
@app.post("/api/captures", status_code=201, dependencies=[Depends(check_token)])
def take(
    response: Response,
    metadata: str = Form(),
    file: UploadFile = File(),
    idempotency_key: str = Header(min_length=1, max_length=255),
):
    # FastAPI has read the whole form by now, the file onto the disk of TMPDIR.
    with lock:
        if idempotency_key in in_progress:
            raise HTTPException(409, "this key is in progress")
        in_progress.add(idempotency_key)
    part = INCOMING / str(uuid.uuid4())
    try:
        size, sha256 = write(part, file.file)
        if sha256_of(metadata) != sha256:
            raise HTTPException(422, "wrong sha256")
        stored = {
            "id": hashlib.sha256(idempotency_key.encode()).hexdigest(),
            "size": size,
            "sha256": sha256,
        }
        path = DIR / stored["id"]
        if path.exists():
            if sha256_of(Path(f"{path}.json").read_text("utf-8")) != sha256:
                raise HTTPException(422, "this key has other bytes")
            response.status_code = 200
            return stored
        write(f"{path}.json", io.BytesIO(metadata.encode()))
        # With this the capture is there; without, it is not.
        os.rename(part, path)
        folder = os.open(DIR, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        return stored
    finally:
        in_progress.discard(idempotency_key)
        part.unlink(missing_ok=True)


def write(path, source):
    digest = hashlib.sha256()
    with open(path, "wb") as target:
        while chunk := source.read(1024 * 1024):
            digest.update(chunk)
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
        return target.tell(), digest.hexdigest()


def sha256_of(metadata):
    try:
        return json.loads(metadata)["sha256"]
    except (ValueError, KeyError, TypeError):
        raise HTTPException(400, "expected metadata in JSON, with sha256") from None


@app.exception_handler(HTTPException)
def refused(_request, error):
    return JSONResponse({"error": error.detail}, error.status_code)


@app.exception_handler(RequestValidationError)
def not_understood(_request, error):
    return JSONResponse({"error": str(error.errors())}, 400)
