"""A peer of the benchmark: the agent's first design, in Python.

One SQLite table, one commit for each step, at most ten captures looked up at a
time, multipart uploads. With httpx where it is installed, as the design has it;
with the standard library where it is not.
"""

import asyncio
import json
import os
import sqlite3
import sys
import time
import uuid
from datetime import datetime, timezone

try:
    import httpx
except ImportError:
    httpx = None
    import http.client
    import urllib.parse


class UploadQueue:
    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.db.row_factory = sqlite3.Row
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS queue (id TEXT PRIMARY KEY, filepath TEXT,"
            " metadata_json TEXT, created_at TEXT, attempts INTEGER DEFAULT 0,"
            " last_attempt TEXT, status TEXT DEFAULT 'pending')"
        )
        self.db.commit()

    def enqueue(self, filepath, metadata):
        capture_id = str(uuid.uuid4())
        self.db.execute(
            "INSERT INTO queue (id, filepath, metadata_json, created_at) VALUES (?, ?, ?, ?)",
            (capture_id, filepath, json.dumps(metadata), now()),
        )
        self.db.commit()
        return capture_id

    def get_pending(self, limit=10):
        return self.db.execute(
            "SELECT * FROM queue WHERE status = 'pending' ORDER BY created_at LIMIT ?",
            (limit,),
        ).fetchall()

    def mark_uploading(self, capture_id):
        self.db.execute(
            "UPDATE queue SET status = 'uploading', last_attempt = ?, attempts = attempts + 1"
            " WHERE id = ?",
            (now(), capture_id),
        )
        self.db.commit()

    def mark_completed(self, capture_id):
        self.db.execute("DELETE FROM queue WHERE id = ?", (capture_id,))
        self.db.commit()


class HttpxUploader:
    def __init__(self, server):
        self.url = server + "/api/captures"
        self.client = httpx.AsyncClient(timeout=30)

    async def upload(self, path, metadata, key):
        with open(path, "rb") as file:
            response = await self.client.post(
                self.url,
                data={"metadata": json.dumps(metadata)},
                files={"file": (os.path.basename(path), file.read(), "image/png")},
                headers={"Idempotency-Key": key},
            )
        response.raise_for_status()
        return response.json()["id"]


class StandardUploader:
    """One kept connection for each upload at a time, in threads."""

    def __init__(self, server):
        self.host = urllib.parse.urlsplit(server).netloc
        self.free = []

    async def upload(self, path, metadata, key):
        return await asyncio.to_thread(self.send, path, metadata, key)

    def send(self, path, metadata, key):
        connection = self.free.pop() if self.free else http.client.HTTPConnection(self.host)
        boundary = uuid.uuid4().hex
        with open(path, "rb") as file:
            content = file.read()
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n'
            f"{json.dumps(metadata)}\r\n--{boundary}\r\n"
            'Content-Disposition: form-data; name="file"; '
            f'filename="{os.path.basename(path)}"\r\nContent-Type: image/png\r\n\r\n'
        ).encode()
        connection.request(
            "POST",
            "/api/captures",
            head + content + f"\r\n--{boundary}--\r\n".encode(),
            {
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Idempotency-Key": key,
            },
        )
        answer = json.loads(connection.getresponse().read())
        self.free.append(connection)
        return answer["id"]


def now():
    return datetime.now(timezone.utc).isoformat()


async def drain(queue, uploader, concurrency):
    places = asyncio.Semaphore(concurrency)

    async def deliver(row):
        async with places:
            queue.mark_uploading(row["id"])
            await uploader.upload(row["filepath"], json.loads(row["metadata_json"]), row["id"])
            queue.mark_completed(row["id"])

    while rows := queue.get_pending():
        await asyncio.gather(*(deliver(row) for row in rows))


async def main():
    given = json.load(sys.stdin)
    queue = UploadQueue(given["database"])
    uploader = (HttpxUploader if httpx else StandardUploader)(given["server"])
    for path in given["paths"][: given["warmUp"]]:
        queue.enqueue(path, {"door": 3})
    await drain(queue, uploader, given["concurrency"])
    for path in given["paths"][given["warmUp"] :]:
        queue.enqueue(path, {"door": 3})
    start = time.perf_counter()
    await drain(queue, uploader, given["concurrency"])
    print(json.dumps({"ms": (time.perf_counter() - start) * 1000}))


if __name__ == "__main__":
    asyncio.run(main())
