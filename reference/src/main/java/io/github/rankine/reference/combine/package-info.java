/** Several adapters' updates of one module made into one: their weighted sum in factors, and what thins them out before they are added up. */
package io.github.rankine.reference.combine;
