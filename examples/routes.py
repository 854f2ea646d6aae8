"""A routing file: `ringback serve --auth none --config server.toml`, where server.toml says `routing = "routes.py"`.

Forward, Redirect, Reject and location are there already. A decision is a value, so this file is tested without a network.
"""


def route(request):
    user = request.uri.user
    if user == "support":
        return Forward("sip:ann@example.com", "sip:bob@example.com", one_by_one=True, ring_for=20)
    if user == "old-number":
        return Redirect("sip:new-number@example.com", status=301)
    if bindings := location.lookup(request.uri):
        return Forward(*bindings)  # every phone of that user at once
    return Reject(404)
