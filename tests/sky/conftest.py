"""Laws are about answers, not about how busy the machine is."""

from hypothesis import settings

settings.register_profile("sky", deadline=None)
settings.load_profile("sky")
