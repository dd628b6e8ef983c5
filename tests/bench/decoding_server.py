"""The peer of the gateway: the same web framework and the same codec, which reads every event, and keeps nothing."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from events.codec import Codec
from projections.protocols.isi_jx import PROTOCOL


def create_app() -> FastAPI:
    app = FastAPI()
    codec = Codec(PROTOCOL.contract)

    @app.post("/v1/events")
    async def take(request: Request) -> JSONResponse:
        body = await request.body()
        results = [{"id": codec.decode(line).event.id, "status": "accepted"} for line in body.splitlines()]
        return JSONResponse({"results": results}, 202)

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
