/** Tokenizers as Hugging Face's {@code tokenizer.json} describes them, with the settings that stand beside it. */
package io.github.rankine.models.tokenizer;
