"""The native engine for pages: its kernels as WebAssembly, and what JavaScript has to know to call them."""
