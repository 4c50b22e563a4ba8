/** Conversations, and the templates that lay them out as the text that a model was trained on. */
package io.github.rankine.models.chat;
