"""Builds, tests and checks the sample app with the compilers alone: no Gradle, no Android SDK, no NDK."""
