"""The doors over HTTP: providers' webhooks, the API of an operator's programs, health and metrics.

flask_app = create_app(app)                      # everything, with its documentation
my_flask_app.register_blueprint(blueprint(app))  # the same inside of an app of one's own
"""

from wabot.adapters.web.factory import blueprint, create_app

__all__ = ["blueprint", "create_app"]
