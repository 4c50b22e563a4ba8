/**
 * A fine-tune from its first step to its finished adapter: the folder it writes, its log of metrics, and the state from
 * which an interrupted one goes on as if it had never stopped.
 *
 * <pre>
 *   OUTPUT/adapter_config.json, adapter_model.safetensors, README.md   the adapter as last saved
 *   OUTPUT/best/…                                                      the one with the lowest evaluation loss
 *   OUTPUT/metrics.jsonl                                               one line for each step
 *   OUTPUT/training_state.safetensors                                  the state
 * </pre>
 *
 * <p>A save writes the adapter, then the log, then the state, each atomically. The state holds the parameters too, so
 * whatever a kill leaves behind, the state alone decides where a run goes on; what is newer than the state is overwritten
 * with the same bytes on the way, or cut off the log.
 */
package io.github.rankine.models.run;
