"""The commands. The client library is loaded only when a command must talk to a server."""
