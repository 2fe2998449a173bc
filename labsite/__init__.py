"""The site around the counting app: settings, addresses, workers, start-up checks."""
