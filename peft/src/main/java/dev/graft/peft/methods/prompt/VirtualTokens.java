package dev.graft.peft.methods.prompt;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.BaseMismatchException;
import tools.jackson.databind.node.ObjectNode;

/**
 * The fields of PEFT's {@code PromptLearningConfig}: the number of virtual tokens, and sizes that must equal the base's.
 */
final class VirtualTokens {
    /** The key of a prompt in files. */
    static final String KEY = "prompt_embeddings";

    private VirtualTokens() {}

    /** Refuses a number of tokens that no prompt can have. */
    static void positive(int tokens) {
        if (tokens < 1) {
            throw new InputException("num_virtual_tokens is " + tokens + ", expected at least 1");
        }
    }

    /** Refuses a number of tokens that exceeds the base's positions. */
    static void check(int tokens, Base base) {
        int most = base.backbone().maxPositions();
        if (tokens >= most) {
            throw new InputException(
                    "num_virtual_tokens is " + tokens + ", but " + base.name() + " has only " + most + " positions");
        }
    }

    /**
     * Returns the number of sets of rows of a prompt. PEFT creates two for an encoder-decoder; it puts the first before
     * the encoder's text and never uses the other.
     */
    static int sets(Base base) {
        return base.task().name().equals("SEQ_2_SEQ_LM") ? 2 : 1;
    }

    /** Reads how many sets of rows there are. */
    static int sets(Fields f, Base base) {
        Integer given = f.integerOrNull("num_transformer_submodules", 1, 2);
        if (given != null && given > sets(base)) {
            throw new BaseMismatchException(
                    f.invalid("num_transformer_submodules", sets(base) + ", as " + base.name() + " has"));
        }
        return given == null ? sets(base) : given;
    }

    /** Reads the fields of a prompt before the embeddings. */
    static int read(Fields f, Base base) {
        return read(f, base, base.backbone().size().heads(), base.backbone().hiddenSize());
    }

    /** Reads {@code num_virtual_tokens} and compares the other fields, if present, with the base. */
    static int read(Fields f, Base base, int heads, int dim) {
        Integer tokens = f.integerOrNull("num_virtual_tokens", 1, Integer.MAX_VALUE);
        if (tokens == null) {
            throw f.invalid("num_virtual_tokens", "an integer of at least 1");
        }
        same(f, base, heads, dim);
        return tokens;
    }

    /** Compares the fields about the base, if present, with the base. */
    static void same(Fields f, Base base, int heads, int dim) {
        same(f, "num_layers", base.backbone().layers(), base);
        same(f, "token_dim", dim, base);
        same(f, "num_attention_heads", heads, base);
    }

    private static void same(Fields f, String field, int expected, Base base) {
        Integer given = f.integerOrNull(field);
        if (given != null && given != expected) {
            throw new BaseMismatchException(f.invalid(field, expected + ", as " + base.name() + " has"));
        }
    }

    /** Writes the fields of a prompt before the embeddings. */
    static void write(ObjectNode json, int tokens, int sets, Base base) {
        write(
                json,
                tokens,
                base,
                base.backbone().size().heads(),
                base.backbone().hiddenSize());
        json.put("num_transformer_submodules", sets);
    }

    /** Writes the fields. */
    static void write(ObjectNode json, int tokens, Base base, int heads, int dim) {
        json.put("num_virtual_tokens", tokens);
        json.put("num_layers", base.backbone().layers());
        json.put("token_dim", dim);
        json.put("num_attention_heads", heads);
    }
}
