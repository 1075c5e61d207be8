//! Made-up CTs.
