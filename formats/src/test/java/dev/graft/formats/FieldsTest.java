package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.function.Function;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class FieldsTest {

    private static Fields fields(String json) {
        return Fields.of("adapter_config.json", Json.parse("adapter_config.json", json));
    }

    @Test
    void valuesHaveTheirTypes() {
        Fields fields = fields("{\"r\":8,\"lora_alpha\":16,\"lora_dropout\":0.1,\"bias\":\"none\",\"use_rslora\":true,"
                + "\"target_modules\":[\"q\",\"v\"],\"rank_pattern\":{\"b\":1,\"a\":2},\"layers\":[0,2]}");
        assertThat(fields.integer("r", 4, 1)).isEqualTo(8);
        assertThat(fields.number("lora_alpha", 8)).isEqualTo(16);
        assertThat(fields.number("lora_dropout", 0, 0, 1)).isEqualTo(0.1);
        assertThat(fields.choice("bias", "none", "none", "all", "lora_only")).isEqualTo("none");
        assertThat(fields.bool("use_rslora", false)).isTrue();
        assertThat(fields.strings("target_modules")).containsExactly("q", "v");
        assertThat(fields.integersOrNull("layers")).containsExactly(0, 2);
        Fields pattern = fields.object("rank_pattern");
        assertThat(pattern.names()).containsExactly("b", "a");
        assertThat(pattern.integer("b") + 10 * pattern.integer("a")).isEqualTo(21);
        assertThat(fields.unread()).isEmpty();
    }

    @Test
    void absentFieldsHaveTheirDefaults() {
        Fields fields = fields("{\"x\":null}");
        assertThat(fields.integer("r", 4)).isEqualTo(4);
        assertThat(fields.string("bias", "none")).isEqualTo("none");
        assertThat(fields.strings("modules", List.of("a"))).containsExactly("a");
        assertThat(fields.integerOrNull("x")).isNull();
        assertThat(fields.stringOrNull("y")).isNull();
        assertThat(fields.objectOrNull("z")).isNull();
        assertThat(fields.has("x")).isTrue();
        assertThat(fields.has("y")).isFalse();
    }

    @Test
    void valuesOfTheWrongTypeOrRangeSayWhatWasExpected() {
        refused("{\"r\":\"8\"}", f -> f.integer("r", 8, 1), "r is \"8\", expected an integer of at least 1");
        refused("{\"r\":0}", f -> f.integer("r", 8, 1), "r is 0, expected an integer of at least 1");
        refused("{\"r\":9}", f -> f.integer("r", 8, 1, 8), "r is 9, expected an integer from 1 to 8");
        refused("{\"r\":2}", f -> f.integer("r", 1, 1, 1), "r is 2, expected 1");
        refused("{\"a\":1}", f -> f.number("a", 0, 0, 0.5), "a is 1, expected a number from 0 to 0.5");
        refused("{\"a\":\"b\"}", f -> f.choice("a", "c", "c"), "a is \"b\", expected \"c\"");
        refused("{\"r\":2147483648}", f -> f.integer("r", 8), "r is 2147483648, expected an integer");
        refused("{\"r\":8.0}", f -> f.integer("r", 8), "r is 8.0, expected an integer");
        refused("{\"r\":null}", f -> f.integer("r", 8), "r is null, expected an integer");
        refused("{}", f -> f.integer("r"), "r is missing, expected an integer");
        refused("{\"a\":true}", f -> f.number("a", 1), "a is true, expected a number");
        refused("{\"a\":2}", f -> f.number("a", 1, 0, 1), "a is 2, expected a number from 0 to 1");
        refused("{\"a\":1}", f -> f.bool("a", false), "a is 1, expected true or false");
        refused("{\"a\":\"x\"}", f -> f.strings("a"), "a is \"x\", expected an array of strings");
        refused("{\"a\":[\"x\",1]}", f -> f.stringsOrNull("a"), "a is [\"x\",1], expected an array of strings");
        refused("{\"a\":[]}", f -> f.object("a"), "a is [], expected an object");
        refused("{\"a\":{\"b\":\"c\"}}", f -> f.object("a").integer("b"), "a.b is \"c\", expected an integer");
        refused("{\"a\":[1.5]}", f -> f.integersOrNull("a"), "a is [1.5], expected an array of integers");
        refused(
                "{\"bias\":\"lora\"}",
                f -> f.choice("bias", "none", "none", "lora_only"),
                "bias is \"lora\", expected one of \"none\", \"lora_only\"");
        refused("{\"a\":\"" + "x".repeat(200) + "\"}", f -> f.bool("a"), "xxx..., expected true or false");
    }

    @Test
    void anErrorKnowsItsField() {
        Fields fields = fields("{\"r\":0,\"inner\":{\"s\":1},\"rows\":[3,{\"a\":1,\"b\":2}]}");
        JsonNode rows = fields.list("rows").get(0);
        Fields row = fields.nested("rows[1]", fields.list("rows").get(1));

        named("r", () -> fields.integer("r", 8, 1));
        named("t", () -> fields.string("t"));
        named("inner.s", () -> fields.object("inner").string("s"));
        named("rows[0]", () -> fields.nested("rows[0]", rows));
        named("rows[1].a", () -> row.string("a"));
        named("rows[1]", () -> {
            throw row.error("is strange");
        });
        named("rows[1].b", () -> row.rejectUnread("Remove it."));
        fields.integer("r", 8);
        assertThat(fields.unread()).as("a row's fields are its own").isEmpty();
        assertThat(fields.error("is strange"))
                .isNotInstanceOf(FieldException.class)
                .hasMessage("adapter_config.json: is strange");
        assertThat(row.error("b", "is strange")).hasMessage("adapter_config.json: rows[1].b is strange");
    }

    private static void named(String field, ThrowingCallable read) {
        assertThatThrownBy(read).isInstanceOfSatisfying(FieldException.class, wrong -> {
            assertThat(wrong.field()).isEqualTo(field);
            assertThat(wrong.source()).isEqualTo("adapter_config.json");
        });
    }

    @Test
    void onlyAnObjectHasFields() {
        assertThatThrownBy(() -> fields("[1]")).hasMessage("adapter_config.json: holds [1], expected a JSON object");
    }

    @Test
    void fieldsThatNobodyAskedForAreRefusedWithTheNearestName() {
        Fields fields = fields("{\"r\":8,\"lora_alhpa\":16,\"inner\":{\"known\":1,\"strange\":2},\"version\":\"1\"}");
        fields.integer("r", 8);
        fields.number("lora_alpha", 8);
        Fields inner = fields.object("inner");
        inner.integer("known");
        fields.ignore("version");
        assertThat(fields.unread()).containsExactly("lora_alhpa", "inner.strange");
        assertThatThrownBy(() -> inner.rejectUnread("Remove it."))
                .hasMessage("adapter_config.json: unknown field \"inner.strange\". Remove it.");
        inner.node("strange");
        assertThatThrownBy(() -> fields.rejectUnread("Remove it."))
                .isInstanceOf(InputException.class)
                .hasMessage(
                        "adapter_config.json: unknown field \"lora_alhpa\", did you mean \"lora_alpha\"? Remove it.");
    }

    @Test
    void nullsCountAsReadWhereTheyAreLetPass() {
        Fields fields = fields("{\"a\":null,\"inner\":{\"b\":null,\"c\":false},\"d\":0}");
        fields.object("inner");
        fields.ignoreNulls();
        assertThat(fields.unread()).containsExactly("inner.c", "d");
    }

    private static void refused(String json, Function<Fields, ?> read, String message) {
        assertThatThrownBy(() -> read.apply(fields(json)))
                .isInstanceOf(FormatException.class)
                .hasMessageStartingWith("adapter_config.json: ")
                .hasMessageEndingWith(message);
    }
}
