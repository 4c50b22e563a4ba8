/**
 * Tensors on disk: single <a href="https://github.com/huggingface/safetensors">safetensors</a> files, mapped and never
 * copied, checkpoints of several, and the writer.
 */
package io.github.rankine.models.safetensors;
