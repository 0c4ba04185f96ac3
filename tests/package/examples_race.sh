#!/bin/sh
# The examples that use the network, with the race detector: it says nothing, and they do what they do without.
EXAMPLES_OPTIONS=-race exec sh "$(dirname "$0")/../examples/run.sh" echo proxy http_server http_stream fetch linkcheck
