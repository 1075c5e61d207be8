#![no_main]

ggpfn_fuzz::target!(metaimage);
