package dev.graft.train.data;

import dev.graft.formats.Sha256;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** The SHA-256 of examples in their order: tokens, pictures and targets. Only masks are read again for it. */
final class ExamplesDigest {
    private final Rows rows;
    private final MessageDigest sha = Sha256.digest();

    ExamplesDigest(Rows rows) {
        this.rows = rows;
    }

    void add(Example example) {
        ints(example.ids());
        ints(example.typeIds());
        ints(example.decoderIds());
        ints(example.task());
        if (example.image() != null) {
            sha.update(ByteBuffer.allocate(Long.BYTES).putLong(0, rows.hash(example.row())));
        }
        target(example);
        ints(example.others().size());
        example.others().forEach(this::add);
    }

    private void target(Example example) {
        Target target = example.target();
        sha.update((byte) target.getClass().getSimpleName().charAt(0));
        ints(target.tokenLabels());
        if (target instanceof Target.Judged judged) {
            ints(judged.isGood() ? 1 : 0);
        } else if (target instanceof Target.ClassId one) {
            ints(one.id());
        } else if (target instanceof Target.MultiHot many) {
            for (float value : many.classes()) {
                ints(Float.floatToIntBits(value));
            }
        } else if (target instanceof Target.Score score) {
            ints(Float.floatToIntBits(score.value()));
        } else if (target instanceof Target.Span span) {
            ints(span.start(), span.end());
        } else if (target instanceof Target.Pixels && rows.get(example.row()) instanceof Row.Masked masked) {
            sha.update(masked.mask().bytes());
        }
    }

    private void ints(int @Nullable ... values) {
        if (values == null) {
            sha.update((byte) 0);
            return;
        }
        ByteBuffer bytes =
                ByteBuffer.allocate(Integer.BYTES * (values.length + 1)).putInt(values.length);
        bytes.asIntBuffer().put(values);
        sha.update(bytes.array());
    }

    String hex() {
        return HexFormat.of().formatHex(sha.digest());
    }
}
