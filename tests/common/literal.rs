//! Algorithm 1 of the paper, literally: for every slice the window of 2T + 1 slices, for every patch of it the whole network.
//!
//! Written from docs/network.md alone, layer by layer with batch normalisation as a layer of its own, bilinear sampling pixel by
//! pixel, nothing shared with the library but the model's numbers. It is what the streaming engine has to be equal to.
#![allow(dead_code)]

use ggpfn::network::{Fusion, GgpfnConfig, Model, ModelConfig};
use ggpfn::volume::View;
use ndarray::{Array3, ArrayView3, Axis};
use tch::{Kind, Tensor};

pub struct Literal<'a> {
    model: &'a Model,
    config: &'a ModelConfig,
    view: View,
}

impl<'a> Literal<'a> {
    pub fn new(model: &'a Model, view: View) -> Self {
        Literal { model, config: model.config(), view }
    }

    fn network_config(&self) -> &GgpfnConfig {
        self.config.ggpfn().unwrap()
    }

    fn tensor(&self, name: &str) -> Tensor {
        let array = &self.model.weights()[&format!("{}.{name}", self.view)];
        let shape: Vec<i64> = array.shape.iter().map(|n| *n as i64).collect();
        Tensor::from_slice(&array.values).reshape(&shape)
    }

    /// Convolution (padding in-plane only), batch normalisation.
    fn conv_bn(&self, x: &Tensor, path: &str, stride: i64) -> Tensor {
        let w = self.tensor(&format!("{path}.conv.weight"));
        let y = match (w.dim(), x.dim()) {
            (5, _) => x.conv3d(&w, None::<Tensor>, [1, 1, 1], [0, 1, 1], [1, 1, 1], 1),
            _ => x.conv2d(&w, None::<Tensor>, [stride, stride], [1, 1], [1, 1], 1),
        };
        let mut shape = vec![1_i64; y.dim()];
        shape[1] = -1;
        let bn = |name: &str| self.tensor(&format!("{path}.bn.{name}")).reshape(&shape);
        (y - bn("running_mean")) / (bn("running_var") + 1e-5).sqrt() * bn("weight") + bn("bias")
    }

    fn layer(&self, x: &Tensor, path: &str) -> Tensor {
        self.conv_bn(x, path, 1).relu()
    }

    fn residual(&self, x: &Tensor, path: &str) -> Tensor {
        let y = self.layer(x, &format!("{path}.conv0"));
        let y = self.conv_bn(&y, &format!("{path}.conv1"), 1);
        let lost = x.size()[2] - y.size()[2];
        (x.narrow(2, lost / 2, y.size()[2]) + y).relu()
    }

    /// The encoder's four groups on one window `[D, H, W]`.
    pub fn encoder(&self, window: &Tensor) -> Vec<Tensor> {
        let pool = |x: &Tensor| x.max_pool3d([1, 2, 2], [1, 2, 2], [0, 0, 0], [1, 1, 1], false);
        let first = if self.network_config().fusion == Fusion::OneOff {
            // [1, D, H, W] -> one slice, [1, C, 1, H, W]
            self.layer(&window.unsqueeze(0), "local.enc.0.plain.0").unsqueeze(2)
        } else {
            self.layer(&window.unsqueeze(0).unsqueeze(0), "local.enc.0.plain.0")
        };
        let g0 = self.layer(&first, "local.enc.0.plain.1");
        let x = self.layer(&pool(&g0), "local.enc.1.plain.0");
        let g1 = self.residual(&x, "local.enc.1.res.0");
        let x = self.layer(&pool(&g1), "local.enc.2.plain.0");
        let x = self.residual(&x, "local.enc.2.res.0");
        let g2 = self.residual(&x, "local.enc.2.res.1");
        let x = self.layer(&pool(&g2), "local.enc.3.plain.0");
        let x = self.residual(&x, "local.enc.3.res.0");
        let g3 = self.residual(&x, "local.enc.3.res.1");
        vec![g0, g1, g2, g3]
    }

    /// F from a whole slice `[h, w]`.
    fn global(&self, slice: &Tensor) -> Tensor {
        let [hg, wg] = self.network_config().global_size[&self.view];
        let mut x =
            slice.unsqueeze(0).unsqueeze(0).internal_upsample_bilinear2d_aa([hg as i64, wg as i64], false, None, None);
        for (k, count) in [2, 2, 3, 3, 3].into_iter().enumerate() {
            if k > 0 {
                x = x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
            }
            for i in 0..count {
                let stride = if k == 0 && i == 0 { 2 } else { 1 };
                x = self.conv_bn(&x, &format!("global.g.{k}.{i}"), stride).relu();
            }
        }
        x
    }

    /// F_k: for each pixel of E_k the bilinear value of F at its centre, clamped at the border.
    fn sample(&self, f: &Tensor, size: (i64, i64), start: (usize, usize), slice: (usize, usize)) -> Tensor {
        let (channels, hf, wf) = (f.size()[1] as usize, f.size()[2] as usize, f.size()[3] as usize);
        let values: Vec<f32> = Vec::try_from(f.contiguous().flatten(0, -1)).unwrap();
        let at = |c: usize, y: usize, x: usize| values[(c * hf + y) * wf + x] as f64;
        let mut out = Vec::new();
        for c in 0..channels {
            for r in 0..size.0 {
                let y = 8.0 * (r as f64 + 0.5) - 0.5 + start.0 as f64;
                let y = ((y + 0.5) * hf as f64 / slice.0 as f64 - 0.5).max(0.0).min(hf as f64 - 1.0);
                for q in 0..size.1 {
                    let x = 8.0 * (q as f64 + 0.5) - 0.5 + start.1 as f64;
                    let x = ((x + 0.5) * wf as f64 / slice.1 as f64 - 0.5).max(0.0).min(wf as f64 - 1.0);
                    let (y0, x0) = (y.floor() as usize, x.floor() as usize);
                    let (y1, x1) = ((y0 + 1).min(hf - 1), (x0 + 1).min(wf - 1));
                    let (dy, dx) = (y - y0 as f64, x - x0 as f64);
                    let value = at(c, y0, x0) * (1.0 - dy) * (1.0 - dx)
                        + at(c, y0, x1) * (1.0 - dy) * dx
                        + at(c, y1, x0) * dy * (1.0 - dx)
                        + at(c, y1, x1) * dy * dx;
                    out.push(value as f32);
                }
            }
        }
        Tensor::from_slice(&out).reshape([1, channels as i64, size.0, size.1])
    }

    /// P of one slice (N = 1) of `stack`, `[slice, row, column]` in Hounsfield units.
    pub fn slice(&self, stack: ArrayView3<f32>, i: usize) -> Tensor {
        let (l, h, w) = stack.dim();
        let t = self.network_config().t as isize;
        let (low, high) = (self.config.window[0], self.config.window[1]);
        let normalised = |i: usize| {
            let pixels: Vec<f32> = stack.index_axis(Axis(0), i).iter().copied().collect();
            let x = Tensor::from_slice(&pixels).reshape([h as i64, w as i64]);
            (x.clamp(low, high) - low) / (high - low)
        };
        let (ph, pw) = (h.div_ceil(8) * 8, w.div_ceil(8) * 8);
        let pad = [0, (pw - w) as i64, 0, (ph - h) as i64];
        let window: Vec<Tensor> =
            (-t..=t).map(|d| normalised((i as isize + d).clamp(0, l as isize - 1) as usize)).collect();
        let window = Tensor::stack(&window, 0).unsqueeze(0).replication_pad2d(pad).squeeze_dim(0);
        let features = self.encoder(&window);
        let central = |x: &Tensor| x.select(2, x.size()[2] / 2);
        let mut x = central(&features[3]);
        assert_eq!(features[3].size()[2], 1);
        if self.network_config().global_widths.is_some() {
            let f = self.global(&normalised(i));
            let fk = self.sample(&f, (ph as i64 / 8, pw as i64 / 8), (0, 0), (h, w));
            x = Tensor::cat(&[x, fk], 1);
        }
        x = self.layer(&x, "local.d4");
        for j in (0..3).rev() {
            let weight = self.tensor(&format!("local.up.{j}.weight"));
            let bias = self.tensor(&format!("local.up.{j}.bias"));
            let up = x.conv_transpose2d(&weight, Some(bias), [2, 2], [0, 0], [0, 0], 1, [1, 1]);
            x = self.layer(&Tensor::cat(&[up, central(&features[j])], 1), &format!("local.dec.{j}.0"));
            x = self.layer(&x, &format!("local.dec.{j}.1"));
        }
        let (weight, bias) = (self.tensor("local.head.weight"), self.tensor("local.head.bias"));
        let p = x.conv2d(&weight, Some(bias), [1, 1], [0, 0], [1, 1], 1).sigmoid();
        p.to_kind(Kind::Float).squeeze().reshape([ph as i64, pw as i64]).narrow(0, 0, h as i64).narrow(1, 0, w as i64)
    }

    /// P of all slices of `stack`.
    pub fn stack(&self, stack: ArrayView3<f32>) -> Array3<f32> {
        let _no_grad = tch::no_grad_guard();
        let mut out = Array3::zeros(stack.raw_dim());
        for i in 0..stack.dim().0 {
            let values: Vec<f32> = Vec::try_from(self.slice(stack, i).contiguous().flatten(0, -1)).unwrap();
            for (o, v) in out.index_axis_mut(Axis(0), i).iter_mut().zip(values) {
                *o = v;
            }
        }
        out
    }
}
