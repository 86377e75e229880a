//! Every single-bit change and every truncation of one presentation and of its proof is refused.
