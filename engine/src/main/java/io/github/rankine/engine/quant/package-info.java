/** Storing frozen weights in four or eight bits. */
package io.github.rankine.engine.quant;
