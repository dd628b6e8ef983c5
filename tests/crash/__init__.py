"""The real process, killed at any point, on a disk that fails, and with deadlines that come due meanwhile: what must hold."""
