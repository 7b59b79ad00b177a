"""HTTP only: read the request, call the services in a thread, write JSON.

Every verb is decorated in its own class: ``authorized`` keeps the resource it saw first, so a verb inherited by classes with
different resources would check the wrong one.
"""
