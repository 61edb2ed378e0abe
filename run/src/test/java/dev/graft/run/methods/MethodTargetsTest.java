package dev.graft.run.methods;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Layer;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.peft.methods.hybrid.Union;
import dev.graft.run.config.RunConfig.Compat;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Where methods act, said in the ways that all of them share. */
class MethodTargetsTest {
    private static final Base LLAMA = ProbeBase.of(2, 256);

    /** Their targets are attention layers, norms, embeddings, what trained experts act on, and whole layers. */
    private static final List<String> OTHER_TARGETS =
            List.of("adaption-prompt", "ln-tuning", "trainable-tokens", "arrow", "shadow");

    /** The methods whose targets can be any linear layers. */
    static Stream<Method.Type> targeting() {
        return Methods.all().stream()
                .filter(type -> type.capabilities().decoder())
                .filter(type -> MethodFactory.defaults(type, LLAMA).has("target_modules"))
                .filter(type -> !OTHER_TARGETS.contains(type.name()));
    }

    static Stream<Method.Type> others() {
        List<String> targeting = targeting().map(Method.Type::name).toList();
        return Methods.all().stream().filter(type -> !targeting.contains(type.name()));
    }

    private static Adapter adapter(Method.Type type, Map<String, Object> options) {
        Map<String, Object> all = new HashMap<>(options);
        if (type.name().equals("ia3")) {
            all.put("feedforward_modules", List.of());
        } else if (type.name().equals("trainable-tokens")) {
            all.put("token_indices", List.of(1));
        }
        Base base = type.capabilities().decoder() ? LLAMA : ProbeEncoders.bert();
        return Adapter.create(base, MethodFactory.of(type.name(), all, Compat.GRAFT, base), 1);
    }

    private static TreeSet<String> sites(Adapter adapter) {
        TreeSet<String> names = new TreeSet<>();
        adapter.sites().stream().map(Site::name).forEach(names::add);
        return names;
    }

    private static String query(int layer) {
        return "model.layers." + layer + ".self_attn.q_proj";
    }

    @ParameterizedTest
    @MethodSource("targeting")
    void targetsAreNamesRolesExpressionsAndLayers(Method.Type type) {
        assertThat(sites(adapter(type, Map.of("target_modules", List.of("q_proj")))))
                .containsExactly(query(0), query(1));
        assertThat(sites(adapter(type, Map.of("target_modules", List.of("query")))))
                .containsExactly(query(0), query(1));
        assertThat(sites(adapter(type, Map.of("target_modules", "query")))).containsExactly(query(0), query(1));
        assertThat(sites(adapter(type, Map.of("target_modules", ".*layers\\.1\\..*q_proj"))))
                .containsExactly(query(1));
        assertThat(sites(adapter(type, Map.of("target_modules", List.of("query"), "layers", "1-"))))
                .containsExactly(query(1));
        assertThat(sites(adapter(type, Map.of("layers", -1))))
                .isNotEmpty()
                .allMatch(name -> name.startsWith("model.layers.1."));
    }

    /** Where a method has no ranks by module of its own, a union of it with itself has them. */
    @ParameterizedTest
    @MethodSource("targeting")
    void sizesMayDifferAmongModules(Method.Type type) {
        Method queries = MethodFactory.of(type.name(), options(type, "q_proj", 0), Compat.GRAFT, LLAMA);
        Method values = MethodFactory.of(type.name(), options(type, "v_proj", 1), Compat.GRAFT, LLAMA);
        Union both = new Union(List.of(queries, values));
        if (SHARING.contains(type.name())) {
            assertThatThrownBy(() -> Adapter.create(LLAMA, both, 1))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("would be there twice");
            return;
        }
        assertThat(sites(Adapter.create(LLAMA, both, 1)))
                .containsExactly(query(0), query(0).replace("q_p", "v_p"), query(1), query(1).replace("q_p", "v_p"));
    }

    /** Layers of theirs share tensors of one size. */
    private static final List<String> SHARING = List.of("vera", "pvera", "randlora", "vblora", "unilora", "tinylora");

    private static Map<String, Object> options(Method.Type type, String target, int which) {
        Map<String, Object> options = new HashMap<>(Map.of("target_modules", List.of(target)));
        if (type.name().equals("ia3")) {
            options.put("feedforward_modules", List.of());
        }
        if (MethodFactory.defaults(type, LLAMA).has("r") && !type.name().equals("oft")) {
            options.put("r", which == 0 ? 4 : 8);
        }
        return options;
    }

    @ParameterizedTest
    @MethodSource("others")
    void whatHasNoTargetsActsInSomeLayersOrRefusesByName(Method.Type type) {
        Adapter adapter;
        try {
            adapter = adapter(type, Map.of("layers", "1-"));
        } catch (InputException refused) {
            assertThat(refused).hasMessageContaining("layers");
            return;
        }
        // What shadow adds to the input of a layer it adds to the output of the one before.
        assertThat(adapter.sites())
                .isNotEmpty()
                .allMatch(site -> site.layer() != 0 || type.name().equals("shadow") && site instanceof Layer);
    }
}
