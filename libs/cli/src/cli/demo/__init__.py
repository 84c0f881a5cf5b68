"""The main job, shown: real work carried through every service of a running stack, each step checked."""
