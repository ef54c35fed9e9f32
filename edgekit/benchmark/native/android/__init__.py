"""How the runner is started on Android: one Java class, as a dex."""
