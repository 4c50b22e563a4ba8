/** What a model is on disk: families, safetensors, tokenizers, chat templates, data sets and PEFT adapters. */
package io.github.rankine.models;
