/**
 * What a low rank loses: singular values of updates, what they say of the rank that an update needs, and the update's best
 * approximation at each rank.
 */
package io.github.rankine.reference.lowrank;
