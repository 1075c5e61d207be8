<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_Hans">
<context>
    <name>PancreasSegmentation</name>
    <message>
        <source>Pancreas Segmentation</source>
        <translation>胰腺分割</translation>
    </message>
    <message>
        <source>Finds the pancreas in CT with the Globally Guided Progressive Fusion Network (GGPFN). Choose a volume and press Apply; then move the threshold. For research, not for clinical use. See the tutorial in the extension&apos;s folder Docs.</source>
        <translation>用全局引导渐进融合网络（GGPFN）在 CT 中找出胰腺。选择一个体数据并点击“应用”，然后移动阈值。仅供研究，不可用于临床。教程在扩展的 Docs 文件夹中。</translation>
    </message>
    <message>
        <source>After Chaowei Fang and others: Globally Guided Progressive Fusion Network for 3D Pancreas Segmentation, MICCAI 2019. The data that the shipped model was trained on is listed on its model card.</source>
        <translation>依据 Chaowei Fang 等人的论文：Globally Guided Progressive Fusion Network for 3D Pancreas Segmentation，MICCAI 2019。随附模型的训练数据列在其模型卡上。</translation>
    </message>
    <message>
        <source>Input</source>
        <translation>输入</translation>
    </message>
    <message>
        <source>CT volume:</source>
        <translation>CT 体数据：</translation>
    </message>
    <message>
        <source>The CT, in Hounsfield units. For a sequence, its volume of the moment; all of them under Batch.</source>
        <translation>CT，以亨氏单位表示。对于序列，是其当前的体数据；全部体数据在“批处理”中处理。</translation>
    </message>
    <message>
        <source>Extent:</source>
        <translation>范围：</translation>
    </message>
    <message>
        <source>The whole volume, the body without the air around it, or a box that you place. A smaller region is faster and needs less memory.</source>
        <translation>整个体数据、去掉周围空气的身体，或由您放置的方框。区域越小越快，所需内存越少。</translation>
    </message>
    <message>
        <source>Region:</source>
        <translation>区域：</translation>
    </message>
    <message>
        <source>The box to look at. A new one is laid around the body; drag its handles to the upper abdomen.</source>
        <translation>要查看的方框。新的方框放在身体周围；请将其手柄拖到上腹部。</translation>
    </message>
    <message>
        <source>Region</source>
        <translation>区域</translation>
    </message>
    <message>
        <source>Lays the region around the body, along the volume&apos;s axes.</source>
        <translation>沿体数据的轴将区域放在身体周围。</translation>
    </message>
    <message>
        <source>Fit to body</source>
        <translation>适合身体</translation>
    </message>
    <message>
        <source>Draws the region anew by two clicks in the slices, from one corner to the other.</source>
        <translation>在切片中点击两次，从一角到对角，重新绘制区域。</translation>
    </message>
    <message>
        <source>Place</source>
        <translation>放置</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Model:</source>
        <translation>模型：</translation>
    </message>
    <message>
        <source>The small model that ships with ggpfn, or a model file of your own.</source>
        <translation>随 ggpfn 附带的小模型，或您自己的模型文件。</translation>
    </message>
    <message>
        <source>File:</source>
        <translation>文件：</translation>
    </message>
    <message>
        <source>A model file, .safetensors.</source>
        <translation>模型文件，.safetensors。</translation>
    </message>
    <message>
        <source>Choose a model file.</source>
        <translation>选择模型文件。</translation>
    </message>
    <message>
        <source>...</source>
        <translation>...</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>详情</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>结果</translation>
    </message>
    <message>
        <source>Segmentation:</source>
        <translation>分割：</translation>
    </message>
    <message>
        <source>Where the pancreas goes, as a segment of its own. Other segments stay, and so does a pancreas that you have edited.</source>
        <translation>胰腺写入的位置，作为单独的分段。其他分段保持不变，您编辑过的胰腺也保持不变。</translation>
    </message>
    <message>
        <source>New segmentation</source>
        <translation>新分割</translation>
    </message>
    <message>
        <source>Threshold:</source>
        <translation>阈值：</translation>
    </message>
    <message>
        <source>Voxels of at least this probability are pancreas. After a run, moving this changes the result at once.</source>
        <translation>概率不低于此值的体素为胰腺。运行之后，移动它会立即改变结果。</translation>
    </message>
    <message>
        <source>Keeps the largest connected component; after a run it changes the result at once.</source>
        <translation>只保留最大的连通分量；运行之后会立即改变结果。</translation>
    </message>
    <message>
        <source>Largest component only</source>
        <translation>仅最大分量</translation>
    </message>
    <message>
        <source>Shows the segmentation in 3D, or hides it there.</source>
        <translation>在三维中显示或隐藏分割。</translation>
    </message>
    <message>
        <source>Show 3D</source>
        <translation>显示三维</translation>
    </message>
    <message>
        <source>Finds the pancreas.</source>
        <translation>寻找胰腺。</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>应用</translation>
    </message>
    <message>
        <source>Stops the work at once.</source>
        <translation>立即停止工作。</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>How far the result of the last run can be trusted.</source>
        <translation>上次运行的结果可信程度。</translation>
    </message>
    <message>
        <source>Replaces your corrections by the result of the last run, at the threshold above. They can be brought back.</source>
        <translation>用上次运行在上述阈值下的结果替换您的修改。修改可以恢复。</translation>
    </message>
    <message>
        <source>Replace by the result</source>
        <translation>用结果替换</translation>
    </message>
    <message>
        <source>Brings back the corrections that were replaced.</source>
        <translation>恢复被替换的修改。</translation>
    </message>
    <message>
        <source>Restore the corrections</source>
        <translation>恢复修改</translation>
    </message>
    <message>
        <source>Goes to the Segment Editor with this segmentation and its CT.</source>
        <translation>带着此分割及其 CT 转到分割编辑器。</translation>
    </message>
    <message>
        <source>Edit in Segment Editor</source>
        <translation>在分割编辑器中编辑</translation>
    </message>
    <message>
        <source>Writes a DICOM segmentation that refers to the CT, which has to be loaded by the module DICOM: by the extension Quantitative Reporting if it is installed, else to a file.</source>
        <translation>写出引用 CT 的 DICOM 分割，该 CT 必须由 DICOM 模块加载：若已安装扩展 Quantitative Reporting 则由其完成，否则写入文件。</translation>
    </message>
    <message>
        <source>Export as DICOM SEG</source>
        <translation>导出为 DICOM SEG</translation>
    </message>
    <message>
        <source>What the model is fit for. More under Model, Details.</source>
        <translation>模型适合做什么。更多内容见“模型”的“详情”。</translation>
    </message>
    <message>
        <source>Measurements</source>
        <translation>测量</translation>
    </message>
    <message>
        <source>The pancreas in numbers. The same table is a node of the scene.</source>
        <translation>胰腺的数值。同一表格也是场景中的一个节点。</translation>
    </message>
    <message>
        <source>Measures the segment as it is now, with your corrections.</source>
        <translation>按当前状态测量分段，包含您的修改。</translation>
    </message>
    <message>
        <source>Measure again</source>
        <translation>重新测量</translation>
    </message>
    <message>
        <source>Opens a layout with the table beside the slices, from which it can be copied.</source>
        <translation>打开切片旁带表格的布局，可从中复制。</translation>
    </message>
    <message>
        <source>Show table</source>
        <translation>显示表格</translation>
    </message>
    <message>
        <source>Advanced</source>
        <translation>高级</translation>
    </message>
    <message>
        <source>Axial:</source>
        <translation>轴位：</translation>
    </message>
    <message>
        <source>Looks at axial slices.</source>
        <translation>查看轴位切片。</translation>
    </message>
    <message>
        <source>Use, weight</source>
        <translation>使用，权重</translation>
    </message>
    <message>
        <source>Sagittal:</source>
        <translation>矢状位：</translation>
    </message>
    <message>
        <source>Looks at sagittal slices.</source>
        <translation>查看矢状位切片。</translation>
    </message>
    <message>
        <source>Coronal:</source>
        <translation>冠状位：</translation>
    </message>
    <message>
        <source>Looks at coronal slices.</source>
        <translation>查看冠状位切片。</translation>
    </message>
    <message>
        <source>How much each view counts; they are scaled to add up to 1.</source>
        <translation>每个视图的权重；总和会缩放为 1。</translation>
    </message>
    <message>
        <source>Weights of my own instead of the model&apos;s</source>
        <translation>使用自己的权重而不是模型的权重</translation>
    </message>
    <message>
        <source>Device:</source>
        <translation>设备：</translation>
    </message>
    <message>
        <source>Where to compute.</source>
        <translation>在哪里计算。</translation>
    </message>
    <message>
        <source>Precision:</source>
        <translation>精度：</translation>
    </message>
    <message>
        <source>16 bits are faster on recent processors and GPUs; probabilities differ by up to about 0.01.</source>
        <translation>16 位在较新的处理器和 GPU 上更快；概率最多相差约 0.01。</translation>
    </message>
    <message>
        <source>Cuts slices into patches of 256 x 256.</source>
        <translation>将切片切成 256 x 256 的图块。</translation>
    </message>
    <message>
        <source>Patches, for GPUs with little memory</source>
        <translation>图块，用于显存较小的 GPU</translation>
    </message>
    <message>
        <source>Dice between the views&apos; own results, in the table.</source>
        <translation>各视图结果之间的 Dice，显示在表格中。</translation>
    </message>
    <message>
        <source>Agreement between the views</source>
        <translation>视图之间的一致性</translation>
    </message>
    <message>
        <source>Adds a volume with the fused probability, 0 to 1.</source>
        <translation>添加一个融合概率的体数据，0 到 1。</translation>
    </message>
    <message>
        <source>Probability map</source>
        <translation>概率图</translation>
    </message>
    <message>
        <source>Adds a volume with the views&apos; disagreement: the standard deviation of their probabilities, 0 to 0.5.</source>
        <translation>添加一个表示视图分歧的体数据：其概率的标准差，0 到 0.5。</translation>
    </message>
    <message>
        <source>Uncertainty map</source>
        <translation>不确定性图</translation>
    </message>
    <message>
        <source>Run in:</source>
        <translation>运行于：</translation>
    </message>
    <message>
        <source>This process is fastest. A separate process is for a Slicer whose Python has a libtorch of its own. Automatic: this process, unless it has one.</source>
        <translation>此进程最快。单独的进程用于 Python 自带 libtorch 的 Slicer。自动：使用此进程，除非它已有 libtorch。</translation>
    </message>
    <message>
        <source>Library:</source>
        <translation>库：</translation>
    </message>
    <message>
        <source>The folder of libggpfn. Empty: where the extension has it.</source>
        <translation>libggpfn 所在的文件夹。留空：扩展中的位置。</translation>
    </message>
    <message>
        <source>Choose the folder.</source>
        <translation>选择文件夹。</translation>
    </message>
    <message>
        <source>Batch</source>
        <translation>批处理</translation>
    </message>
    <message>
        <source>Scans:</source>
        <translation>扫描：</translation>
    </message>
    <message>
        <source>What to go through, with the settings above.</source>
        <translation>要处理的内容，使用以上设置。</translation>
    </message>
    <message>
        <source>Tick the volumes.</source>
        <translation>勾选体数据。</translation>
    </message>
    <message>
        <source>Sequence:</source>
        <translation>序列：</translation>
    </message>
    <message>
        <source>A sequence of CT volumes.</source>
        <translation>CT 体数据的序列。</translation>
    </message>
    <message>
        <source>Folder:</source>
        <translation>文件夹：</translation>
    </message>
    <message>
        <source>A folder of image files (NIfTI, NRRD, MetaImage) and of folders with DICOM series.</source>
        <translation>包含图像文件（NIfTI、NRRD、MetaImage）和 DICOM 序列文件夹的文件夹。</translation>
    </message>
    <message>
        <source>Write to:</source>
        <translation>写入到：</translation>
    </message>
    <message>
        <source>Where segmentations and a table go. Empty: beside the scans.</source>
        <translation>分割和表格的写入位置。留空：与扫描放在一起。</translation>
    </message>
    <message>
        <source>One scan after the other; what fails is a line in the table.</source>
        <translation>逐个处理扫描；失败的会成为表格中的一行。</translation>
    </message>
    <message>
        <source>Segment all</source>
        <translation>全部分割</translation>
    </message>
    <message>
        <source>Fine-tune</source>
        <translation>微调</translation>
    </message>
    <message>
        <source>Volume:</source>
        <translation>体数据：</translation>
    </message>
    <message>
        <source>A CT of the scene.</source>
        <translation>场景中的一个 CT。</translation>
    </message>
    <message>
        <source>Corrected:</source>
        <translation>已修正：</translation>
    </message>
    <message>
        <source>Its segmentation, corrected by hand.</source>
        <translation>其手工修正的分割。</translation>
    </message>
    <message>
        <source>Adds the two above to the training.</source>
        <translation>将以上两项加入训练。</translation>
    </message>
    <message>
        <source>Add pair</source>
        <translation>添加配对</translation>
    </message>
    <message>
        <source>Removes the pair that is selected.</source>
        <translation>移除选中的配对。</translation>
    </message>
    <message>
        <source>Remove pair</source>
        <translation>移除配对</translation>
    </message>
    <message>
        <source>The pairs that the model learns from.</source>
        <translation>模型所学习的配对。</translation>
    </message>
    <message>
        <source>The last pair is not learnt from; it shows how good the model has become, and chooses the best one.</source>
        <translation>最后一对不用于学习；它显示模型的好坏，并选出最好的模型。</translation>
    </message>
    <message>
        <source>Validate on the last pair</source>
        <translation>用最后一对验证</translation>
    </message>
    <message>
        <source>Epochs:</source>
        <translation>轮数：</translation>
    </message>
    <message>
        <source>How often the model goes through the pairs.</source>
        <translation>模型遍历所有配对的次数。</translation>
    </message>
    <message>
        <source>Minutes at most:</source>
        <translation>最多分钟数：</translation>
    </message>
    <message>
        <source>0: as long as it takes.</source>
        <translation>0：不限时间。</translation>
    </message>
    <message>
        <source>New model:</source>
        <translation>新模型：</translation>
    </message>
    <message>
        <source>The file that the new model goes to; one that is there already is not replaced, but gets a number. Empty: a new one in the folder ggpfn-models of your home.</source>
        <translation>新模型写入的文件；已有的文件不会被替换，新文件会加上编号。留空：在您主目录的 ggpfn-models 文件夹中新建。</translation>
    </message>
    <message>
        <source>Choose the file.</source>
        <translation>选择文件。</translation>
    </message>
    <message>
        <source>Goes on training the model that is chosen above.</source>
        <translation>继续训练上面选择的模型。</translation>
    </message>
    <message>
        <source>Ends the training and keeps the best model so far.</source>
        <translation>结束训练并保留目前最好的模型。</translation>
    </message>
    <message>
        <source>Stop and keep</source>
        <translation>停止并保留</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>比较</translation>
    </message>
    <message>
        <source>What is to be judged.</source>
        <translation>要评价的分割。</translation>
    </message>
    <message>
        <source>Truth:</source>
        <translation>真值：</translation>
    </message>
    <message>
        <source>What it is judged by.</source>
        <translation>评价的依据。</translation>
    </message>
    <message>
        <source>Dice, volumes and distances of the surfaces.</source>
        <translation>Dice、体积和表面距离。</translation>
    </message>
    <message>
        <source>How well the two agree. The same table is a node of the scene.</source>
        <translation>两者的一致程度。同一表格也是场景中的一个节点。</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.batch</name>
    <message>
        <source>Scan</source>
        <translation>扫描</translation>
    </message>
    <message>
        <source>Volume (mL)</source>
        <translation>体积 (mL)</translation>
    </message>
    <message>
        <source>Mean (HU)</source>
        <translation>平均值 (HU)</translation>
    </message>
    <message>
        <source>Components</source>
        <translation>分量</translation>
    </message>
    <message>
        <source>Expected Dice</source>
        <translation>预期 Dice</translation>
    </message>
    <message>
        <source>Doubtful</source>
        <translation>可疑</translation>
    </message>
    <message>
        <source>Seconds</source>
        <translation>秒</translation>
    </message>
    <message>
        <source>Remark</source>
        <translation>备注</translation>
    </message>
    <message>
        <source>The volume was deleted.</source>
        <translation>体数据已被删除。</translation>
    </message>
    <message>
        <source>The sequence was deleted.</source>
        <translation>序列已被删除。</translation>
    </message>
    <message>
        <source>{path} cannot be written.</source>
        <translation>无法写入 {path}。</translation>
    </message>
    <message>
        <source>{old} was edited by hand and stays as it is; the result is in {new}.</source>
        <translation>{old} 被手工编辑过，保持不变；结果在 {new} 中。</translation>
    </message>
    <message>
        <source>Choose a model file, or the model that is shipped.</source>
        <translation>请选择模型文件，或随附的模型。</translation>
    </message>
    <message>
        <source>Tick at least one view under Advanced.</source>
        <translation>请在“高级”中至少勾选一个视图。</translation>
    </message>
    <message>
        <source>Files of a folder lie in places of their own; crop to the body instead of a region.</source>
        <translation>文件夹中的文件各有自己的位置；请裁剪到身体而不是区域。</translation>
    </message>
    <message>
        <source>Segmenting {count} scans</source>
        <translation>正在分割 {count} 个扫描</translation>
    </message>
    <message>
        <source>Tick at least one volume.</source>
        <translation>请至少勾选一个体数据。</translation>
    </message>
    <message>
        <source>Choose a sequence that has volumes in it.</source>
        <translation>请选择包含体数据的序列。</translation>
    </message>
    <message>
        <source>{name} is no sequence of volumes.</source>
        <translation>{name} 不是体数据的序列。</translation>
    </message>
    <message>
        <source>{name} pancreas</source>
        <translation>{name} 胰腺</translation>
    </message>
    <message>
        <source>yes</source>
        <translation>是</translation>
    </message>
    <message>
        <source>no</source>
        <translation>否</translation>
    </message>
    <message>
        <source>{done} of {count} scans are segmented.</source>
        <translation>{count} 个扫描中已分割 {done} 个。</translation>
    </message>
    <message>
        <source>The table says what became of the others.</source>
        <translation>其余扫描的情况见表格。</translation>
    </message>
    <message>
        <source>{count} results are doubtful: look at them before you use them.</source>
        <translation>{count} 个结果可疑：使用之前请查看。</translation>
    </message>
    <message>
        <source>Pancreas of many scans</source>
        <translation>多个扫描的胰腺</translation>
    </message>
    <message>
        <source>Cancelled, since the scene was closed.</source>
        <translation>因场景已关闭而取消。</translation>
    </message>
    <message>
        <source>Scan {number} of {count}, {phase}</source>
        <translation>扫描 {number} / {count}，{phase}</translation>
    </message>
    <message>
        <source>Choose the folder that has the scans.</source>
        <translation>请选择包含扫描的文件夹。</translation>
    </message>
    <message>
        <source>There is no image in {folder}; {endings} and DICOM series are looked for.</source>
        <translation>{folder} 中没有图像；查找的是 {endings} 和 DICOM 序列。</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.comparison</name>
    <message>
        <source>Choose two segmentations.</source>
        <translation>请选择两个分割。</translation>
    </message>
    <message>
        <source>Choose two different segmentations.</source>
        <translation>请选择两个不同的分割。</translation>
    </message>
    <message>
        <source>Comparing</source>
        <translation>正在比较</translation>
    </message>
    <message>
        <source>Choose the CT of the segmentations as the input volume; its grid is needed.</source>
        <translation>请将分割所属的 CT 选为输入体数据；需要其网格。</translation>
    </message>
    <message>
        <source>Comparison</source>
        <translation>比较</translation>
    </message>
    <message>
        <source>Dice {dice:.3f}</source>
        <translation>Dice {dice:.3f}</translation>
    </message>
    <message>
        <source>A segmentation was deleted during the comparison.</source>
        <translation>比较期间一个分割被删除。</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.dicom_export</name>
    <message>
        <source>Choose the segmentation that is to be exported under Result.</source>
        <translation>请在“结果”中选择要导出的分割。</translation>
    </message>
    <message>
        <source>Writing {path}</source>
        <translation>正在写入 {path}</translation>
    </message>
    <message>
        <source>{path} was written: the pancreas on {slices} of {count} slices.</source>
        <translation>已写入 {path}：{count} 层切片中有 {slices} 层含胰腺。</translation>
    </message>
    <message>
        <source>The volume or the segmentation was deleted while it was written.</source>
        <translation>写入期间体数据或分割被删除。</translation>
    </message>
    <message>
        <source>Choose the CT of the segmentation as the input volume.</source>
        <translation>请将分割所属的 CT 选为输入体数据。</translation>
    </message>
    <message>
        <source>{name} was not loaded by the module DICOM, so there is no series that a DICOM segmentation could refer to. Load the CT from Slicer&apos;s DICOM database and segment it, or save the segmentation as an image.</source>
        <translation>{name} 不是由 DICOM 模块加载的，因此没有可供 DICOM 分割引用的序列。请从 Slicer 的 DICOM 数据库加载 CT 并分割，或将分割保存为图像。</translation>
    </message>
    <message>
        <source>{missing} of the {count} DICOM files of {name} are no longer where Slicer&apos;s DICOM database says. Import the series again.</source>
        <translation>{name} 的 {count} 个 DICOM 文件中有 {missing} 个已不在 Slicer 的 DICOM 数据库所记录的位置。请重新导入该序列。</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.dicom_input</name>
    <message>
        <source>{folder} has no CT series in it that Slicer&apos;s batch can read.</source>
        <translation>{folder} 中没有批处理可以读取的 CT 序列。</translation>
    </message>
    <message>
        <source>The folder has {count} CT series; the one of the most slices was taken, {slices}: {name}.</source>
        <translation>该文件夹有 {count} 个 CT 序列；已选用切片最多的一个，{slices} 层：{name}。</translation>
    </message>
    <message>
        <source>{folder} has a series of several slices in one file; load it by the module DICOM.</source>
        <translation>{folder} 中有一个文件含多层切片的序列；请用 DICOM 模块加载。</translation>
    </message>
    <message>
        <source>The slices in {folder} differ in {tag}; one value was expected.</source>
        <translation>{folder} 中各切片的 {tag} 不同；应只有一个值。</translation>
    </message>
    <message>
        <source>{folder} has {count} slices; at least 3 were expected.</source>
        <translation>{folder} 有 {count} 层切片；至少需要 3 层。</translation>
    </message>
    <message>
        <source>The slices in {folder} do not follow each other evenly: {low:.2f} to {high:.2f} mm lie between them. Slices are missing, or there are several scans in one series.</source>
        <translation>{folder} 中的切片间隔不均匀：相距 {low:.2f} 到 {high:.2f} mm。缺少切片，或一个序列中有多次扫描。</translation>
    </message>
    <message>
        <source>The gantry was tilted by {tilt:.1f} degrees in {folder}. Load it by the module DICOM, resample it by the module Crop Volume, and segment that volume.</source>
        <translation>{folder} 中的机架倾斜了 {tilt:.1f} 度。请用 DICOM 模块加载，用 Crop Volume 模块重采样，然后分割所得的体数据。</translation>
    </message>
    <message>
        <source>{folder} cannot be read by Slicer.</source>
        <translation>Slicer 无法读取 {folder}。</translation>
    </message>
    <message>
        <source>Slicer read {found} of the {count} slices in {folder}; load it by the module DICOM.</source>
        <translation>Slicer 读取了 {folder} 中 {count} 层切片里的 {found} 层；请用 DICOM 模块加载。</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.engines</name>
    <message>
        <source>A GPU can be used: {names}.</source>
        <translation>可以使用 GPU：{names}。</translation>
    </message>
    <message>
        <source>No GPU is used: {reason}</source>
        <translation>未使用 GPU：{reason}</translation>
    </message>
    <message>
        <source>No GPU is used: there is no NVIDIA driver on this computer.</source>
        <translation>未使用 GPU：此计算机没有 NVIDIA 驱动程序。</translation>
    </message>
    <message>
        <source>No GPU is used: the libtorch that ggpfn runs on sees none that it can work with.</source>
        <translation>未使用 GPU：ggpfn 所用的 libtorch 没有找到可用的 GPU。</translation>
    </message>
    <message>
        <source>It runs in this process.</source>
        <translation>在此进程中运行。</translation>
    </message>
    <message>
        <source>It runs in a separate process, the program ggpfn. {reason}</source>
        <translation>在单独的进程（ggpfn 程序）中运行。{reason}</translation>
    </message>
    <message>
        <source>libtorch {version}.</source>
        <translation>libtorch {version}。</translation>
    </message>
    <message>
        <source>each scan&apos;s own</source>
        <translation>各扫描自身的间距</translation>
    </message>
    <message>
        <source>Views: {views}, {parameters:,} parameters each</source>
        <translation>视图：{views}，每个 {parameters:,} 个参数</translation>
    </message>
    <message>
        <source>{slices} slices for one, {fusion}, {guidance}</source>
        <translation>{slices} 层切片预测一层，{fusion}，{guidance}</translation>
    </message>
    <message>
        <source>fused progressively</source>
        <translation>渐进融合</translation>
    </message>
    <message>
        <source>fused at once</source>
        <translation>一次融合</translation>
    </message>
    <message>
        <source>global guidance</source>
        <translation>全局引导</translation>
    </message>
    <message>
        <source>no global guidance</source>
        <translation>无全局引导</translation>
    </message>
    <message>
        <source>Spacing: {spacing}; window {low:g} to {high:g} HU; threshold {threshold:g}</source>
        <translation>间距：{spacing}；窗 {low:g} 到 {high:g} HU；阈值 {threshold:g}</translation>
    </message>
    <message>
        <source>SHA-256: {hash}</source>
        <translation>SHA-256：{hash}</translation>
    </message>
    <message>
        <source>For research only, not for clinical use.</source>
        <translation>仅供研究，不可用于临床。</translation>
    </message>
    <message>
        <source>Trained on synthetic CTs and parts of real ones; on real CTs its predecessor reached a mean Dice of {dice} (0.00 to 0.83).</source>
        <translation>用合成 CT 和部分真实 CT 训练；其前一版本在真实 CT 上的平均 Dice 为 {dice}（0.00 到 0.83）。</translation>
    </message>
    <message>
        <source>Untrained</source>
        <translation>未训练</translation>
    </message>
    <message>
        <source>Trained by ggpfn {version}</source>
        <translation>由 ggpfn {version} 训练</translation>
    </message>
    <message>
        <source>{low} to {high} cases</source>
        <translation>{low} 到 {high} 个病例</translation>
    </message>
    <message>
        <source>{low} cases</source>
        <translation>{low} 个病例</translation>
    </message>
    <message>
        <source>validation Dice {low:.2f} to {high:.2f}</source>
        <translation>验证 Dice {low:.2f} 到 {high:.2f}</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.errors</name>
    <message>
        <source>The library of ggpfn was not found. Install the extension again, or name the folder that has it under Advanced, Library.

{reason}</source>
        <translation>未找到 ggpfn 库。请重新安装扩展，或在“高级”的“库”中指定其所在文件夹。

{reason}</translation>
    </message>
    <message>
        <source>The library of ggpfn cannot be used here. Install the version that belongs to this extension, and the program ggpfn beside it, which works in a process of its own.

{reason}</source>
        <translation>ggpfn 库在此无法使用。请安装与此扩展对应的版本，以及在单独进程中工作的 ggpfn 程序。

{reason}</translation>
    </message>
    <message>
        <source>The model cannot be used. Choose another file, or the model that is shipped.

{reason}</source>
        <translation>无法使用该模型。请选择其他文件，或随附的模型。

{reason}</translation>
    </message>
    <message>
        <source>There is not enough memory. Choose a region of interest, crop to the body, use fewer views, or tick patches under Advanced.

{reason}</source>
        <translation>内存不足。请选择感兴趣区域、裁剪到身体、使用更少的视图，或在“高级”中勾选图块。

{reason}</translation>
    </message>
    <message>
        <source>The volume cannot be segmented.

{reason}</source>
        <translation>无法分割该体数据。

{reason}</translation>
    </message>
    <message>
        <source>The program ggpfn ended before its work was done; the system may have stopped it for lack of memory. Press Apply to start it again, with a smaller region if this comes back.

{reason}</source>
        <translation>ggpfn 程序在工作完成之前结束；系统可能因内存不足将其停止。请点击“应用”重新启动，若再次发生请使用较小的区域。

{reason}</translation>
    </message>
    <message>
        <source>A file cannot be read or written: {reason}</source>
        <translation>无法读取或写入文件：{reason}</translation>
    </message>
    <message>
        <source>The module has a fault: {reason}. Please report it with the lines of the error log.</source>
        <translation>模块出现错误：{reason}。请连同错误日志的内容一起报告。</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.measurements</name>
    <message>
        <source>Measurement</source>
        <translation>测量项</translation>
    </message>
    <message>
        <source>Value</source>
        <translation>数值</translation>
    </message>
    <message>
        <source>Volume (mL)</source>
        <translation>体积 (mL)</translation>
    </message>
    <message>
        <source>Mean (HU)</source>
        <translation>平均值 (HU)</translation>
    </message>
    <message>
        <source>Standard deviation (HU)</source>
        <translation>标准差 (HU)</translation>
    </message>
    <message>
        <source>Bounding box (mm)</source>
        <translation>包围盒 (mm)</translation>
    </message>
    <message>
        <source>Centre R, A, S (mm)</source>
        <translation>中心 R、A、S (mm)</translation>
    </message>
    <message>
        <source>Connected components</source>
        <translation>连通分量</translation>
    </message>
    <message>
        <source>Voxels</source>
        <translation>体素</translation>
    </message>
    <message>
        <source>Threshold</source>
        <translation>阈值</translation>
    </message>
    <message>
        <source>edited by hand</source>
        <translation>手工编辑</translation>
    </message>
    <message>
        <source>Agreement {views} (Dice)</source>
        <translation>一致性 {views} (Dice)</translation>
    </message>
    <message>
        <source>Computed on</source>
        <translation>计算设备</translation>
    </message>
    <message>
        <source>Dice</source>
        <translation>Dice</translation>
    </message>
    <message>
        <source>Jaccard</source>
        <translation>Jaccard</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>精确率</translation>
    </message>
    <message>
        <source>Recall</source>
        <translation>召回率</translation>
    </message>
    <message>
        <source>Volume of the truth (mL)</source>
        <translation>真值的体积 (mL)</translation>
    </message>
    <message>
        <source>Difference of volumes (%)</source>
        <translation>体积差 (%)</translation>
    </message>
    <message>
        <source>95 % surface distance (mm)</source>
        <translation>95 % 表面距离 (mm)</translation>
    </message>
    <message>
        <source>Mean surface distance (mm)</source>
        <translation>平均表面距离 (mm)</translation>
    </message>
    <message>
        <source>The segment is empty.</source>
        <translation>分段为空。</translation>
    </message>
    <message>
        <source>No pancreas was found at a threshold of {threshold:.2f}; try a lower one.</source>
        <translation>阈值为 {threshold:.2f} 时没有找到胰腺；请尝试更低的阈值。</translation>
    </message>
    <message>
        <source>{volume:.1f} mL, {hu:.0f} HU on average</source>
        <translation>{volume:.1f} mL，平均 {hu:.0f} HU</translation>
    </message>
    <message>
        <source>Expected Dice {dice:.2f}</source>
        <translation>预期 Dice {dice:.2f}</translation>
    </message>
    <message>
        <source>{text} at the threshold of {threshold:.2f}</source>
        <translation>{text}（阈值 {threshold:.2f} 时）</translation>
    </message>
    <message>
        <source>Doubtful, look before you use it. {text}</source>
        <translation>可疑，使用前请查看。{text}</translation>
    </message>
    <message>
        <source>Of the mask before it was edited by hand</source>
        <translation>属于手工编辑之前的掩膜</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.panel</name>
    <message>
        <source>Pancreas Segmentation</source>
        <translation>胰腺分割</translation>
    </message>
    <message>
        <source>{volume:.1f} mL</source>
        <translation>{volume:.1f} mL</translation>
    </message>
    <message>
        <source>Model file</source>
        <translation>模型文件</translation>
    </message>
    <message>
        <source>Models (*.safetensors)</source>
        <translation>模型 (*.safetensors)</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>自动</translation>
    </message>
    <message>
        <source>This process</source>
        <translation>此进程</translation>
    </message>
    <message>
        <source>A separate process</source>
        <translation>单独的进程</translation>
    </message>
    <message>
        <source>Folder of the library of ggpfn</source>
        <translation>ggpfn 库所在的文件夹</translation>
    </message>
    <message>
        <source>Needs about {need} of memory</source>
        <translation>需要约 {need} 内存</translation>
    </message>
    <message>
        <source>, of {free} that are free</source>
        <translation>，可用 {free}</translation>
    </message>
    <message>
        <source>, and {need} on the GPU</source>
        <translation>，GPU 上需要 {need}</translation>
    </message>
    <message>
        <source>That is too little: choose a smaller region or fewer views.</source>
        <translation>内存太少：请选择较小的区域或更少的视图。</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.panel_result</name>
    <message>
        <source>The segment was edited by hand, so the threshold leaves it alone.</source>
        <translation>该分段被手工编辑过，因此阈值不会改变它。</translation>
    </message>
    <message>
        <source>The measurements are of the mask before.</source>
        <translation>测量值属于编辑之前的掩膜。</translation>
    </message>
    <message>
        <source>Export as DICOM SEG</source>
        <translation>导出为 DICOM SEG</translation>
    </message>
    <message>
        <source>DICOM files (*.dcm)</source>
        <translation>DICOM 文件 (*.dcm)</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.panel_sections</name>
    <message>
        <source>Click on one corner of the region in a slice, then on the opposite one.</source>
        <translation>请在切片中点击区域的一角，然后点击对角。</translation>
    </message>
    <message>
        <source>Region</source>
        <translation>区域</translation>
    </message>
    <message>
        <source>Folder of scans</source>
        <translation>扫描的文件夹</translation>
    </message>
    <message>
        <source>Folder to write to</source>
        <translation>写入的文件夹</translation>
    </message>
    <message>
        <source>Volume</source>
        <translation>体数据</translation>
    </message>
    <message>
        <source>Corrected</source>
        <translation>已修正</translation>
    </message>
    <message>
        <source>Choose a volume and its corrected segmentation first.</source>
        <translation>请先选择一个体数据及其修正后的分割。</translation>
    </message>
    <message>
        <source>New model</source>
        <translation>新模型</translation>
    </message>
    <message>
        <source>Models (*.safetensors)</source>
        <translation>模型 (*.safetensors)</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.parameters</name>
    <message>
        <source>axial</source>
        <translation>轴位</translation>
    </message>
    <message>
        <source>sagittal</source>
        <translation>矢状位</translation>
    </message>
    <message>
        <source>coronal</source>
        <translation>冠状位</translation>
    </message>
    <message>
        <source>Whole volume</source>
        <translation>整个体数据</translation>
    </message>
    <message>
        <source>Crop to the body</source>
        <translation>裁剪到身体</translation>
    </message>
    <message>
        <source>Region of interest</source>
        <translation>感兴趣区域</translation>
    </message>
    <message>
        <source>Shipped with ggpfn</source>
        <translation>随 ggpfn 附带</translation>
    </message>
    <message>
        <source>A file of my own</source>
        <translation>自己的文件</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>自动</translation>
    </message>
    <message>
        <source>Processor (CPU)</source>
        <translation>处理器 (CPU)</translation>
    </message>
    <message>
        <source>Graphics card (GPU)</source>
        <translation>显卡 (GPU)</translation>
    </message>
    <message>
        <source>32 bits, exact</source>
        <translation>32 位，精确</translation>
    </message>
    <message>
        <source>16 bits, fast</source>
        <translation>16 位，快速</translation>
    </message>
    <message>
        <source>Volumes of the scene</source>
        <translation>场景中的体数据</translation>
    </message>
    <message>
        <source>A sequence</source>
        <translation>一个序列</translation>
    </message>
    <message>
        <source>Files in a folder</source>
        <translation>文件夹中的文件</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.remedies</name>
    <message>
        <source>Replace the voxels of {name} that are not numbers by air, {hu} HU? Its file stays as it is.</source>
        <translation>将 {name} 中不是数值的体素替换为空气（{hu} HU）？文件保持不变。</translation>
    </message>
    <message>
        <source>Go on with patches of 256 x 256, which take less of the GPU&apos;s memory?</source>
        <translation>改用 256 x 256 的图块继续？它们占用较少的 GPU 显存。</translation>
    </message>
    <message>
        <source>Go on with the processor instead of the GPU? It takes longer.</source>
        <translation>改用处理器而不是 GPU 继续？这需要更长时间。</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.rest</name>
    <message>
        <source>Measuring {name}</source>
        <translation>正在测量 {name}</translation>
    </message>
    <message>
        <source>The volume or the segmentation was deleted during the measurement.</source>
        <translation>测量期间体数据或分割被删除。</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.scene_input</name>
    <message>
        <source>Choose a CT volume first.</source>
        <translation>请先选择一个 CT 体数据。</translation>
    </message>
    <message>
        <source>{name} is a label map; choose the CT itself.</source>
        <translation>{name} 是标签图；请选择 CT 本身。</translation>
    </message>
    <message>
        <source>{name} has no voxels; load it again.</source>
        <translation>{name} 没有体素；请重新加载。</translation>
    </message>
    <message>
        <source>{name} has {count} numbers at each voxel: a colour image, or a 4D scan that was loaded as one volume. Load it as a volume sequence, and choose one of its volumes here, or all under Batch.</source>
        <translation>{name} 的每个体素有 {count} 个数值：它是彩色图像，或作为一个体数据加载的 4D 扫描。请将其作为体数据序列加载，然后在此选择其中一个，或在“批处理”中处理全部。</translation>
    </message>
    <message>
        <source>{name} has a spacing of {spacing} mm; set it in the module Volumes, under Volume Information.</source>
        <translation>{name} 的间距为 {spacing} mm；请在 Volumes 模块的 Volume Information 中设置。</translation>
    </message>
    <message>
        <source>The axes of {name} are not perpendicular, as with a tilted gantry. Resample it by the module Crop Volume, with interpolation, and choose the volume that it makes.</source>
        <translation>{name} 的轴不互相垂直，如机架倾斜时那样。请用 Crop Volume 模块以插值方式重采样，并选择所得的体数据。</translation>
    </message>
    <message>
        <source>{name} is only {count} slices thick; the result will be poor.</source>
        <translation>{name} 只有 {count} 层切片厚；结果会很差。</translation>
    </message>
    <message>
        <source>{name} has no value below -200, as air has in Hounsfield units. Is it a CT?</source>
        <translation>{name} 没有低于 -200 的值，而空气以亨氏单位表示应低于此值。这是 CT 吗？</translation>
    </message>
    <message>
        <source>No body was found: nothing in the volume is denser than air. Use the whole volume.</source>
        <translation>未找到身体：体数据中没有比空气更致密的部分。请使用整个体数据。</translation>
    </message>
    <message>
        <source>Choose a region of interest, or place one around the upper abdomen.</source>
        <translation>请选择感兴趣区域，或在上腹部周围放置一个。</translation>
    </message>
    <message>
        <source>The region of interest lies outside of the volume; move it onto the upper abdomen.</source>
        <translation>感兴趣区域在体数据之外；请将其移到上腹部。</translation>
    </message>
    <message>
        <source>{name} cannot be brought onto the grid of {volume}; do they belong together?</source>
        <translation>{name} 无法放到 {volume} 的网格上；它们属于同一次扫描吗？</translation>
    </message>
    <message>
        <source>{name} has no segments.</source>
        <translation>{name} 没有分段。</translation>
    </message>
    <message>
        <source>{name} has {count} segments, and none is called pancreas; rename the one that is meant.</source>
        <translation>{name} 有 {count} 个分段，没有一个名为 pancreas；请重命名所指的那个。</translation>
    </message>
    <message>
        <source>{path} is missing or is no image that Slicer can read.</source>
        <translation>{path} 不存在，或不是 Slicer 可以读取的图像。</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.scene_output</name>
    <message>
        <source>{name} pancreas</source>
        <translation>{name} 胰腺</translation>
    </message>
    <message>
        <source>pancreas</source>
        <translation>胰腺</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.segmenting</name>
    <message>
        <source>Tick at least one view under Advanced.</source>
        <translation>请在“高级”中至少勾选一个视图。</translation>
    </message>
    <message>
        <source>Choose a model file, or the model that is shipped.</source>
        <translation>请选择模型文件，或随附的模型。</translation>
    </message>
    <message>
        <source>Segmenting {name}</source>
        <translation>正在分割 {name}</translation>
    </message>
    <message>
        <source>{name} uncertainty</source>
        <translation>{name} 不确定性</translation>
    </message>
    <message>
        <source>{name} probability</source>
        <translation>{name} 概率</translation>
    </message>
    <message>
        <source>{name} measurements</source>
        <translation>{name} 测量</translation>
    </message>
    <message>
        <source>{old} was edited by hand and stays as it is; the result is in {new}.</source>
        <translation>{old} 被手工编辑过，保持不变；结果在 {new} 中。</translation>
    </message>
    <message>
        <source>The model has the views {views} alone; tick one of them under Advanced.</source>
        <translation>该模型只有视图 {views}；请在“高级”中勾选其中一个。</translation>
    </message>
    <message>
        <source>All weights of the views are 0; give one of them a weight under Advanced.</source>
        <translation>所有视图的权重都是 0；请在“高级”中给其中一个设置权重。</translation>
    </message>
    <message>
        <source>Choose the segmentation that is to be measured under Result.</source>
        <translation>请在“结果”中选择要测量的分割。</translation>
    </message>
    <message>
        <source>Measuring {name}</source>
        <translation>正在测量 {name}</translation>
    </message>
    <message>
        <source>The volume or the segmentation was deleted during the measurement.</source>
        <translation>测量期间体数据或分割被删除。</translation>
    </message>
    <message>
        <source>Looking at the library</source>
        <translation>正在查询库</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.tasks</name>
    <message>
        <source>Cancelled.</source>
        <translation>已取消。</translation>
    </message>
    <message>
        <source>Cancelled, since the scene was closed.</source>
        <translation>因场景已关闭而取消。</translation>
    </message>
    <message>
        <source>The volume was deleted during the work, so the result was dropped. Choose another volume.</source>
        <translation>工作期间体数据被删除，因此结果已丢弃。请选择另一个体数据。</translation>
    </message>
    <message>
        <source>Reading</source>
        <translation>读取</translation>
    </message>
    <message>
        <source>Resampling</source>
        <translation>重采样</translation>
    </message>
    <message>
        <source>Axial view</source>
        <translation>轴位视图</translation>
    </message>
    <message>
        <source>Sagittal view</source>
        <translation>矢状位视图</translation>
    </message>
    <message>
        <source>Coronal view</source>
        <translation>冠状位视图</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>结果</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>正在启动</translation>
    </message>
    <message>
        <source>{phase}: {percent:.0f} %</source>
        <translation>{phase}：{percent:.0f} %</translation>
    </message>
    <message>
        <source>{minutes}:{seconds:02} left</source>
        <translation>剩余 {minutes}:{seconds:02}</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.training</name>
    <message>
        <source>loss</source>
        <translation>损失</translation>
    </message>
    <message>
        <source>validation Dice</source>
        <translation>验证 Dice</translation>
    </message>
    <message>
        <source>Add at least one pair of a volume and its corrected segmentation.</source>
        <translation>请至少添加一对体数据及其修正后的分割。</translation>
    </message>
    <message>
        <source>Choose a model file, or the model that is shipped.</source>
        <translation>请选择模型文件，或随附的模型。</translation>
    </message>
    <message>
        <source>Add a second pair to validate on, or untick the validation.</source>
        <translation>请添加第二对用于验证，或取消勾选验证。</translation>
    </message>
    <message>
        <source>Fine-tuning</source>
        <translation>微调</translation>
    </message>
    <message>
        <source>The new model is in {path} and is chosen now.</source>
        <translation>新模型在 {path} 中，现已选用。</translation>
    </message>
    <message>
        <source>Validation Dice {low:.2f} to {high:.2f}.</source>
        <translation>验证 Dice {low:.2f} 到 {high:.2f}。</translation>
    </message>
    <message>
        <source>A volume of the training was deleted, so the training was stopped.</source>
        <translation>训练所用的一个体数据被删除，因此训练已停止。</translation>
    </message>
    <message>
        <source>step</source>
        <translation>步</translation>
    </message>
    <message>
        <source>{name} has no pancreas within {volume}; correct the pair.</source>
        <translation>{name} 在 {volume} 内没有胰腺；请修正该配对。</translation>
    </message>
</context>
<context>
    <name>qSlicerAbstractCoreModule</name>
    <message>
        <source>Segmentation</source>
        <translation>分割</translation>
    </message>
</context>
</TS>
