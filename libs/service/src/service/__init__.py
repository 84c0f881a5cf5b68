"""Settings, life cycle, roles and the admin port of a service.

A service's main.py is its wiring::

    def build(app: service.App[Settings]) -> None:
        posts = app.collection("posts", adapters.store.INDEXES)
        feed = app.feed()
        app.relay(posts)
        app.grpc(NewsApi(posts, feed.view), add_NewsServiceServicer_to_server, "rossio.news.v1.NewsService")
        app.consumer("mail.delivery.v1", {DeliveryReported: reports.take}, batch=200)


    if __name__ == "__main__":
        service.run("news", Settings, build)
"""

from service.addresses import CannotStart, binding, host_and_port
from service.app import App
from service.clock import now
from service.lifecycle import Component, Stage
from service.process import run
from service.settings import Address, Settings, WrongSettings

__all__ = [
    "Address",
    "App",
    "CannotStart",
    "Component",
    "Settings",
    "Stage",
    "WrongSettings",
    "binding",
    "host_and_port",
    "now",
    "run",
]
