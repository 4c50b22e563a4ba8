/** What a checkpoint's config.json says of its model, as transformers 4 and 5 write it. */
package io.github.rankine.models.config;
