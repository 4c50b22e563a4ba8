/**
 * Adapters in the folder format of <a href="https://github.com/huggingface/peft">PEFT</a>, key for key as its version
 * 0.21 writes them: {@code adapter_config.json}, {@code adapter_model.safetensors} and a model card.
 */
package io.github.rankine.models.peft;
