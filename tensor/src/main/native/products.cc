// Products of bf16 matrices on the threads of an operation.

#include "product.h"
#include "threads.h"

namespace {

// What a thread makes of answers, of their rows or of their columns; of the latter two whole squares.
struct Part {
    jlong first;
    jlong count;

    static Part of(jlong all, jlong each, jlong member, jlong size) {
        const jlong parts = (all + each - 1) / each;
        const jlong first = parts * member / size * each;
        return {first, least(all, parts * (member + 1) / size * each) - first};
    }
};

template <typename Y>
struct Job {
    Matrix a;
    jlong aNext;
    Matrix b;
    jlong bNext;
    const uint16 *bias;
    Y *y;
    jlong row, column, next;
    jlong m, n, k, count;
    bool sum;

    template <typename Barrier>
    void part(jlong member, jlong size, Barrier) const {
        Configured squares;
        const bool many = count >= size;
        const bool tall = m >= n;
        const Part answers = many ? Part::of(count, 1, member, size) : Part{0, count};
        const Part rows = !many && tall ? Part::of(m, PAIR, member, size) : Part{0, m};
        const Part columns = !many && !tall ? Part::of(n, PAIR, member, size) : Part{0, n};
        if (rows.count <= 0 || columns.count <= 0) {
            return;
        }
        for (jlong i = answers.first; i < answers.first + answers.count; i++) {
            products(
                {a.at(rows.first, 0) + i * aNext, a.row, a.column}, {b.at(0, columns.first) + i * bNext, b.row, b.column},
                bias ? bias + columns.first : nullptr, y + i * next + rows.first * row + columns.first * column, row,
                column, rows.count, columns.count, k, sum);
        }
    }
};

}  // namespace

NATIVE(void, Bf16Products, products)
(JNIEnv *, jclass, jlong a, jlong aRow, jlong aColumn, jlong aNext, jlong b, jlong bRow, jlong bColumn, jlong bNext,
 jlong bias, jlong y, jint yFloat, jlong yRow, jlong yColumn, jlong yNext, jlong m, jlong n, jlong k, jlong count, jint sum,
 jint threads) {
    const Matrix left = {reinterpret_cast<const uint16 *>(a), aRow, aColumn};
    const Matrix right = {reinterpret_cast<const uint16 *>(b), bRow, bColumn};
    const uint16 *added = reinterpret_cast<const uint16 *>(bias);
    const auto into = [&](auto *answer) {
        together(Job{left, aNext, right, bNext, added, answer, yRow, yColumn, yNext, m, n, k, count, sum != 0}, threads);
    };
    yFloat ? into(reinterpret_cast<float *>(y)) : into(reinterpret_cast<uint16 *>(y));
}
