/** Checkpoints whose linear layers are stored in few bits. */
package io.github.rankine.models.quantized;
