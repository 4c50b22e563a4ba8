/** Files in llama.cpp's format GGUF. */
package io.github.rankine.models.gguf;
