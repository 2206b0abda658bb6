# Before anything of ours, which keeps others from loading it where traces are off; whichever test comes first, in
# whatever process.
import opentelemetry.sdk.trace  # noqa: F401
