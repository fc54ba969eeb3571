//! File and environment to a checked tree of nodes.
