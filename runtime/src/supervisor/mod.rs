//! Restart decisions and child processes.
