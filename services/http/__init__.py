"""HTTP for every service: servers, connections, callers, parameters and problems."""
