//! Exit codes and texts.
