"""RegionMart: the application factory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.web.factory import RegionMart
    from config.settings import Settings


def create_app(settings: Settings) -> RegionMart:
    """Return the WSGI application for the surfaces named in the settings.

    The door calls `boot.start(settings)` before: this function opens nothing.
    """
    from app import registry
    from app.identity import queries as identity
    from app.identity.roles import BUILT_IN_ROLES
    from app.web import access, factory, limits, system

    app = factory.build("app", proxy_count=settings.server.proxy_count)
    access.use_session_loader(identity.load_session)
    access.use_role_names({(role.realm, role.code): role.name for role in BUILT_IN_ROLES})
    limits.install(app, settings.limits)
    app.register_blueprint(system.bp)
    for blueprint in registry.blueprints(tuple(settings.surfaces)):
        app.register_blueprint(blueprint)
    return app
