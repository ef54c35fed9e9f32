"""`python android-build STEP`: see android_build.cli."""

from android_build.cli import main

main()
